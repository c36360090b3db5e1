// The command line as a new user has it, and the page that comes with it.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { readPage } from "@guard/approver";

const guard = (...args: string[]) =>
  execFileSync(process.execPath, ["node_modules/@guard/cli/dist/main.js", ...args], { encoding: "utf8" });

const { hash, files } = await readPage();
const out = guard("page", "--out", "public", "--relay", "https://relay.example.com");
if (out !== `sha256 ${hash}\n`) throw new Error(`guard page says ${out} instead of ${hash}`);
const written = readdirSync("public").length;
if (written !== files.size + 1) throw new Error(`${written} files were written`);
if (guard("page", "--check", "public") !== out) throw new Error("guard page does not know its own page");
console.log("packed packages work");
process.exit(0);
