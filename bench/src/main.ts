/**
 * `pnpm bench [NAME…]`: runs each figure's program in a process of its own, one after the other, and passes on
 * what they print: one JSON line a figure. Without names, all of them.
 *
 * A figure that is missed does not fail the run; a program that cannot measure does.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const directory = join(import.meta.dirname, "figures");
const all = readdirSync(directory).map((file) => file.replace(/\.ts$/, ""));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no figure called ${unknown.join(", ")}. There are: ${all.join(", ")}.\n`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : all) {
  const program = join(directory, `${name}.ts`);
  const flags = ["--conditions=@guard/source", "--disable-warning=ExperimentalWarning", "--expose-gc"];
  const child = spawn(process.execPath, [...flags, program], { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) {
    process.stderr.write(`${name} could not be measured: it ended with ${code}.\n`);
    process.exitCode = 1;
  }
}
