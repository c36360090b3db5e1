// Who may import whom (docs/architecture.md): plugins, device and relay import core; relay and compat the wires;
// testing and the page import core, device (testing the relay too); the command line, apps and tests import anything;
// core imports none of them, no agent framework, and no `node:` module outside its tests. Prints each breach as
// file:line and exits with 1.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const allowed: Readonly<Record<string, readonly string[] | "anything">> = {
  core: [],
  device: ["core"],
  relay: ["core", "wires"],
  compat: ["core", "wires"],
  wires: [],
  testing: ["core", "device", "relay"],
  "vercel-ai": ["core"],
  langgraph: ["core"],
  mastra: ["core"],
  approver: ["core", "device"],
  cli: "anything",
};
const frameworks = /^(ai|@ai-sdk\/|@langchain\/|langchain|@mastra\/|@openai\/|@modelcontextprotocol\/)/;
// Static imports and calls of import(); `typeof import("…")` is a type and imports nothing.
const imports = /(?:\bfrom\s+|\bimport\s*\(\s*|\brequire\s*\(\s*|^import\s+)(["'`])([^"'`]+)\1/gm;

/** What is wrong with the imports of one file of `packages/<name>`; tests may use the test kit, and node. */
export function breaches(name: string, file: string, text: string): string[] {
  const may = allowed[name];
  if (may === undefined) return [`${file}:1 is of a package that this rule does not know: add ${name} to it`];
  if (may === "anything") return [];
  const test = /\.(test|fixture|page)\.tsx?$|\/test\/|\/fixture\.ts$/.test(file);
  const found: string[] = [];
  for (const match of text.matchAll(imports)) {
    const target = match[2] as string;
    const line = text.slice(0, match.index).split("\n").length;
    const typeOnly = /import\s+type[^;]*$/.test(
      text
        .slice(0, match.index + match[0].length)
        .split(";")
        .at(-1) ?? "",
    );
    // `typeof import("…")` and `type X = import("…").Y` are types and import nothing.
    const before = text.slice(text.lastIndexOf("\n", match.index) + 1, match.index);
    if (/\btypeof\s*$|:\s*$|<\s*$|^\s*(export\s+)?type\s.*=\s*$/.test(before)) continue;
    const [, sibling] = /^@guard\/([a-z-]+)/.exec(target) ?? [];
    const say = (why: string) => found.push(`${file}:${line} imports ${target}: ${why}`);
    if (sibling !== undefined && sibling !== name) {
      const inTest = test && ["core", "device", "relay", "testing"].includes(sibling) && name !== "core";
      if (!may.includes(sibling) && !inTest)
        say(`${name} may import ${may.join(", ") || "no package of ours"}`);
    }
    if (/^\.\.\/\.\.\/\.\.\//.test(target) && !test) say("a relative path leaves the package");
    if (name === "core" && !test) {
      if (target.startsWith("node:") && !typeOnly) say("core has no node: import; use builtin()");
      if (frameworks.test(target)) say("core knows no framework");
    }
  }
  return found;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const files = globSync(["packages/*/src/**/*.{ts,tsx}", "apps/approver/src/**/*.{ts,tsx}"], { cwd: root });
  const found = files.flatMap((file) =>
    breaches(file.split(/[\\/]/)[1] ?? "", file, readFileSync(join(root, file), "utf8")),
  );
  for (const breach of found) console.error(breach);
  console.log(`imports: ${files.length} files, ${found.length} breaches`);
  if (found.length > 0 || files.length === 0) process.exit(1);
}
