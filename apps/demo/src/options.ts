/** What the command line asks of the demo. */
import { parseArgs } from "node:util";

export const frameworks = ["vercel-ai", "langgraph", "mastra"] as const;
export type Framework = (typeof frameworks)[number];

export interface Options {
  /** Plays the script, without a terminal. */
  readonly headless: boolean;
  /** Told one after another. */
  readonly frameworks: readonly Framework[];
  /** The agent's process exits while it waits, and another one resumes it. */
  readonly suspend: boolean;
  /** Where to leave what the evidence is verified with. */
  readonly keep: string | undefined;
  /** Opens the page in a browser, where somebody sits here. */
  readonly open: boolean;
}

export const usage = `Usage: pnpm demo [options]

  --framework NAME  ${frameworks.join(", ")}, or all: one after another (default ${frameworks[0]})
  --suspend         the agent's process exits while it waits for people; another one resumes it, is killed, and a
                    third one ends what was begun. Without it, the agent waits.
  --headless        scripted people; also where there is no terminal
  --no-open         do not open the page in a browser; its address is printed
  --keep DIR        leaves the evidence there, its checkpoints, and the roster to verify them by (roster.json)
  --help            this text`;

/** Null where help was asked for. @throws Error that names the option. */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      framework: { type: "string", default: frameworks[0] },
      suspend: { type: "boolean", default: false },
      headless: { type: "boolean", default: false },
      "no-open": { type: "boolean", default: false },
      keep: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const { framework, suspend, headless, keep } = values;
  const named = frameworks.filter((name) => framework === "all" || name === framework);
  if (named.length === 0) {
    throw new Error(`There is no framework "${framework}": it is one of ${frameworks.join(", ")}, all.`);
  }
  return { headless, frameworks: named, suspend, keep, open: !values["no-open"] };
}
