// Compiles the code that the documentation shows: every ```ts and ```tsx block of the READMEs and of docs/, as a
// module of its own, against the workspace's packages and what is installed beside it. Guarantees, where it ends with
// 0: all of them have the types that they claim, and nothing that looks like code was left out without a reason.
//
// What a block takes for granted stands in a comment before it, which no reader of the page sees:
//
//     <!-- given: import { shop } from "given/shop.ts"; -->       (docs/given/shop.ts)
//
// The modules are the pages themselves with everything else blanked, so the compiler's lines are the page's lines.
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  "packages/*/README.md",
  "examples/*/README.md",
  "docs/**/*.md",
  "apps/*/README.md",
];
const compiled = ["ts", "tsx"];
const others = ["text", "sh", "diff", "json", "yaml", "python", "html", "env"];
/** The compiler's words for a name that nobody uses: only what is given has to be used. */
const unused = new Set(["TS6133", "TS6192", "TS6196", "TS6198"]);

export interface Page {
  /** From the root of the workspace: what the page may import is what is installed there. */
  readonly path: string;
  readonly text: string;
}

interface Block {
  readonly page: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  readonly language: string;
  /** The page with nothing left but what is given and the block. */
  readonly module: string;
}

/** The blocks of a page, and what is wrong with how they are marked. */
function read({ path, text }: Page): { blocks: Block[]; problems: string[]; skipped: number } {
  const lines = text.split("\n");
  const found = { blocks: [] as Block[], problems: [] as string[], skipped: 0 };
  let after = -1;
  for (const [before, line] of lines.entries()) {
    const [, fence, language = ""] = /^\s*(`{3,}|~{3,})\s*([^\s`]*)/.exec(line) ?? [];
    if (fence === undefined || before <= after) continue;
    const say = (why: string) => found.problems.push(`${path}:${before + 1} ${why}`);
    after = lines.findIndex((other, at) => at > before && other.trim() === fence);
    if (after < 0) {
      say("is a block without an end.");
      break;
    }
    if (others.includes(language)) continue;
    if (!compiled.includes(language)) {
      say(
        `is a block in ${language || "no language"}: write ${compiled.join(" or ")}, or one of ${others.join(", ")}.`,
      );
      continue;
    }
    const comment = commentAbove(lines, before);
    const [, reason] = /^\s*not compiled:([\s\S]*)$/.exec(comment.text) ?? [];
    if (reason !== undefined) {
      if (reason.trim().length < 10) say("is not compiled: say why.");
      found.skipped++;
      continue;
    }
    const kept = lines.map((code, at) => (at > before && at < after ? code : ""));
    if (/^\s*given:/.test(comment.text)) {
      const blank = (text: string) => " ".repeat(text.length);
      for (let at = comment.from; at <= comment.to; at++)
        kept[at] = lines[at]?.replace(/^\s*<!--\s*given:/, blank).replace(/-->\s*$/, blank) ?? "";
    }
    const [silenced] = /@ts-(ignore|nocheck)/.exec(kept.join("\n")) ?? [];
    if (silenced !== undefined) say(`says ${silenced}: mark it as not compiled, with the reason.`);
    const module = `${kept.join("\n")}\nexport {};\n`;
    found.blocks.push({ page: path, line: before + 2, language, module });
  }
  return found;
}

/** The comment that ends above line `at`, perhaps with empty lines between. */
function commentAbove(lines: readonly string[], at: number): { text: string; from: number; to: number } {
  const to = lines.findLastIndex((line, i) => i < at && line.trim() !== "");
  if (!lines[to]?.trimEnd().endsWith("-->")) return { text: "", from: 0, to: -1 };
  const from = lines.findLastIndex((line, i) => i <= to && line.includes("<!--"));
  const whole = lines.slice(from, to + 1).join("\n");
  return { text: whole.trim().replace(/^<!--/, "").replace(/-->$/, ""), from, to };
}

/** The folder whose installed packages a page may import. */
function homeOf(page: string): string {
  const [, own] = /^((?:packages|examples|apps)\/[^/]+)\//.exec(page) ?? [];
  return own ?? "docs";
}

/** By name, the sources of every package of the workspace: a package's README imports the package itself. */
function ownPackages(): Record<string, string[]> {
  const paths: Record<string, string[]> = { "given/*": [join(root, "docs", "given", "*")] };
  for (const file of globSync("packages/*/package.json", { cwd: root })) {
    const { name, exports } = JSON.parse(readFileSync(join(root, file), "utf8")) as {
      name: string;
      exports: Record<string, string | { readonly "@guard/source"?: string }>;
    };
    for (const [entry, target] of Object.entries(exports)) {
      const source = typeof target === "object" ? target["@guard/source"] : undefined;
      if (source !== undefined) paths[join(name, entry)] = [join(root, dirname(file), source)];
    }
  }
  return paths;
}

/** What is wrong, as `page:line:column what`, and how many blocks there are. */
export function check(checked: readonly Page[]): { problems: string[]; blocks: number; skipped: number } {
  const all = checked.map(read);
  const blocks = all.flatMap((page) => page.blocks);
  const problems = all.flatMap((page) => page.problems);
  const skipped = all.reduce((sum, page) => sum + page.skipped, 0);
  const scratch = mkdtempSync(join(tmpdir(), "guard-docs-"));
  try {
    const files = new Map<string, Block>();
    for (const block of blocks) {
      const home = homeOf(block.page);
      const folder = join(scratch, home.replace("/", "-"));
      if (mkdirSync(folder, { recursive: true }))
        symlinkSync(join(root, home, "node_modules"), join(folder, "node_modules"));
      // The compiler tells errors by file name: in the order of the pages.
      const name = `${String(files.size).padStart(4, "0")}.${block.language}`;
      writeFileSync(join(folder, name), block.module);
      files.set(join(home.replace("/", "-"), name), block);
    }
    writeFileSync(join(scratch, "package.json"), JSON.stringify({ type: "module" }));
    const compilerOptions = {
      noUnusedLocals: true,
      jsx: "react-jsx",
      exactOptionalPropertyTypes: false, // As in most applications; some of langchain's own types need it so.
      rewriteRelativeImportExtensions: false, // Nothing is emitted; "given/…" is no relative path.
      paths: ownPackages(),
      typeRoots: [join(root, "node_modules", "@types")],
    };
    writeFileSync(
      join(scratch, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.base.json"),
        compilerOptions,
        files: [...files.keys()],
      }),
    );
    problems.push(...(files.size > 0 ? compile(scratch, files) : []));
    return { problems, blocks: blocks.length, skipped };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function compile(scratch: string, files: ReadonlyMap<string, Block>): string[] {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", ".", "--pretty", "false"], {
    cwd: scratch,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const problems: string[] = [];
  let ignored = 0;
  // An error is a line, and perhaps indented ones that belong to it.
  for (const error of stdout.split(/\n(?!\s)/).filter((text) => text.trim() !== "")) {
    const [, file = "", line = "0", column = "0", code = "", message = ""] =
      /^(.*?)\((\d+),(\d+)\): error (TS\d+): ([\s\S]*)$/.exec(error) ?? [];
    const block = files.get(file);
    if (unused.has(code) && (block === undefined || Number(line) >= block.line)) ignored++;
    else if (block) problems.push(`${block.page}:${line}:${column} ${code} ${message.trim()}`);
    else problems.push(error.trim());
  }
  if (status !== 0 && problems.length + ignored === 0) problems.push(`tsc ended with ${status}. ${stderr}`);
  return problems;
}

if (import.meta.main) {
  const paths = pages
    .flatMap((pattern) => globSync(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") }))
    .sort();
  const { problems, blocks, skipped } = check(
    paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") })),
  );
  for (const problem of problems) console.error(problem);
  console.log(
    `docs: ${blocks} blocks of ${paths.length} pages, ${skipped} not compiled, ${problems.length} problems`,
  );
  if (problems.length > 0 || blocks === 0) process.exit(1);
}
