/** Lets a person edit arguments in their own editor; text that is not JSON goes back to the editor. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, canonicalJson, isGuardError, type Json } from "@guard/core";

/** The edited arguments, or null where they are as before. @throws ConfigurationError where the editor fails. */
export function editArguments(args: Json): Json | null {
  const editor =
    process.env.VISUAL || process.env.EDITOR || (process.platform === "win32" ? "notepad" : "vi");
  // A directory of our own, which mkdtemp makes private: arguments are confidential.
  const directory = mkdtempSync(join(tmpdir(), "guard-"));
  const file = join(directory, "arguments.json");
  const comment = /^\/\/.*\n?/gm;
  let text = JSON.stringify(args, null, 2);
  let problem = "";
  try {
    for (;;) {
      writeFileSync(file, `${problem}${text}\n`, { mode: 0o600 });
      const { status, error } = spawnSync(`${editor} "${file}"`, { stdio: "inherit", shell: true });
      if (error || status !== 0) {
        throw new ConfigurationError(
          `The editor (${editor}) ended with an error. Set EDITOR to one that works.`,
        );
      }
      text = readFileSync(file, "utf8").replace(comment, "").trim();
      if (text === "") return null;
      try {
        const edited = JSON.parse(text) as Json;
        return canonicalJson(edited) === canonicalJson(args) ? null : edited;
      } catch (cause) {
        if (!(cause instanceof SyntaxError) && !isGuardError(cause, "validation")) throw cause;
        problem = `// Not usable: ${cause.message.replaceAll("\n", " ")}\n// Mend it, or leave the file empty to go back without a change.\n`;
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
