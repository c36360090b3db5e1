/** The `guard` command: its subcommands, and how it ends. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addDev } from "./commands/dev.ts";
import { addInbox } from "./commands/inbox.ts";
import { addInit } from "./commands/init.ts";
import { addNoxy } from "./commands/noxy.ts";
import { addPage } from "./commands/page.ts";
import { addPeople } from "./commands/people.ts";
import { addRoster } from "./commands/roster.ts";
import { addServe } from "./commands/serve.ts";
import { addVerify } from "./commands/verify.ts";
import { exitCodeOf } from "./errors.ts";

/** Runs the command line; resolves to the exit code: 0 done, 1 refused or failed, 2 used wrongly. */
export async function runGuard(argv: readonly string[]): Promise<number> {
  const program = new Command("guard")
    .description(
      "Stops an agent before it does something that matters, and asks the person who should decide.",
    )
    .version(version())
    .option("--home <directory>", "state directory (default: GUARD_HOME, or .guard here)")
    .showHelpAfterError("(guard --help, or guard COMMAND --help, says more)")
    .exitOverride()
    .addHelpText(
      "after",
      `
Try it:   guard dev -- node agent.ts
Set up:   guard serve; guard init --relay URL; guard invite PERSON; guard agent NAME; guard page --out DIR
Decide:   guard enrol INVITATION; guard inbox
Check:    guard verify FILE --root APP
Noxy:     guard noxy enable --agent NAME; guard noxy devices; guard noxy confirm DEVICE

Exit codes: 0 done, 1 refused or failed, 2 used wrongly.`,
    );
  for (const add of [addDev, addServe, addInit, addPeople, addPage, addInbox, addRoster, addNoxy, addVerify])
    add(program);
  for (const command of program.commands) inherit(command);
  process.exitCode = 0;
  try {
    await program.parseAsync([...argv], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return exitCodeOf(error);
  }
}

/** The version of this package: beside the sources as beside what is built of them. */
function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** `--home` may stand after the subcommand too, and misuse ends everywhere alike. */
function inherit(command: Command): void {
  command.option("--home <directory>", "state directory").exitOverride();
  for (const sub of command.commands) inherit(sub);
}
