// Verifies with examples/python what Guard wrote, so that the protocol stays what its document says. Guarantees,
// where it ends with 0: the Python verifier agrees with every vector that concerns a verifier; it gives the demo's
// evidence the verdict and counts that `guard verify` gives; and of copies in which one bit of one event is changed,
// both name that event. Its files are temporary. Where PyPI cannot be reached, it says so and checks nothing.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { install, run, virtualEnvironment } from "./python.ts";

const cryptography = "cryptography==48.0.0";
const root = join(import.meta.dirname, "..");
const verifier = join(root, "examples", "python", "verify.py");
const runner = join(root, "examples", "python", "vectors.py");
const scratch = mkdtempSync(join(tmpdir(), "guard-python-"));
const source = ["--disable-warning=ExperimentalWarning", "--conditions=@guard/source"];

/** What both verifiers say of a chain, as far as the protocol has it (section 10.7). */
interface Verdict {
  readonly valid: boolean;
  readonly firstBad: number | null;
  readonly events: number;
  readonly [member: string]: unknown;
}

function must(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem);
}

/** Runs all vectors; how many cases. */
function vectors(python: string): number {
  const { code, out, err } = run(python, ["-B", runner, join(root, "vectors", "guard-v1")]);
  process.stdout.write(out);
  must(code === 0, `The vectors are read otherwise than Guard reads them.\n${err}`);
  return [...out.matchAll(/^\w+: (\d+) ran/gm)].reduce((sum, [, ran]) => sum + Number(ran), 0);
}

/** What Python says of these chains, each by itself. */
function byPython(python: string, files: readonly string[], by: readonly string[]): readonly Verdict[] {
  const { code, out, err } = run(python, ["-B", verifier, ...files, ...by]);
  must(code === 0 || code === 1, `Python gives no verdict.\n${out}${err}`);
  const { chains, valid } = JSON.parse(out) as { chains: Verdict[]; valid: boolean };
  must(valid === (code === 0), `Python says ${valid}, and ends with ${code}.`);
  return chains.map(({ file: _, problems: __, ...verdict }) => verdict as Verdict);
}

/** What `guard verify` says of them. */
function byGuard(files: readonly string[], by: readonly string[]): readonly Verdict[] {
  const cli = join(root, "packages", "cli", "src", "main.ts");
  const { code, out, err } = run(process.execPath, [...source, cli, "verify", ...files, ...by, "--json"]);
  must(code === 0 || code === 1, `guard verify ends with ${code}.\n${err}`);
  type Report = Omit<Verdict, "firstBad"> & { readonly firstBad: { readonly seq: number } | null };
  const report = JSON.parse(out) as Report & { readonly files?: readonly Report[] };
  return (report.files ?? [report]).map((one) => {
    const { valid, firstBad, events, checkpoints, uncovered, chain, agent, calls, requests } = one;
    const seq = firstBad?.seq ?? null;
    return { valid, firstBad: seq, events, checkpoints, uncovered, chain, agent, calls, requests } as Verdict;
  });
}

/** Both verdicts, which have to be one. */
function verify(python: string, files: readonly string[], by: readonly string[]): readonly Verdict[] {
  const [ours, theirs] = [byGuard(files, by), byPython(python, files, by)];
  const differ = (i: number) =>
    `${files[i]}\nGuard:  ${JSON.stringify(ours[i])}\nPython: ${JSON.stringify(theirs[i])}`;
  for (const i of files.keys()) must(isDeepStrictEqual(ours[i], theirs[i]), differ(i));
  return ours;
}

/** Copies of a chain, in each of which one event's time is one millisecond off, by one bit. */
function changedCopies(file: string, directory: string): readonly string[] {
  const good = readFileSync(file);
  const ends = [...good.keys()].filter((i) => good[i] === 10);
  // Nothing but a checkpoint from elsewhere shows that the last event was changed.
  return ends.slice(0, -1).map((end, seq) => {
    const bytes = Buffer.from(good);
    const line = bytes.toString("latin1", 0, end);
    const time = /"ts_unix_ms":\d+/.exec(line.slice(line.lastIndexOf("\n") + 1)) as RegExpExecArray;
    const digit = line.lastIndexOf("\n") + 1 + time.index + time[0].length - 1;
    bytes[digit] = (bytes[digit] as number) ^ 1;
    const copy = join(directory, `changed-${seq}.jsonl`);
    writeFileSync(copy, bytes);
    return copy;
  });
}

function demo(python: string, directory: string): { chains: number; events: number; copies: number } {
  const main = join(root, "apps", "demo", "src", "main.ts");
  const { code, out, err } = run(process.execPath, [...source, main, "--headless", "--keep", directory]);
  must(code === 0, `The demo failed.\n${out}${err}`);
  const rosterFile = join(directory, "roster.json");
  const [first] = JSON.parse(readFileSync(rosterFile, "utf8")) as { body: string }[];
  const { app } = JSON.parse(first?.body ?? "null") as { app: string };
  const by = ["--root", app, "--roster", rosterFile];
  const files = readdirSync(directory).filter((name) => name.endsWith(".jsonl"));
  must(files.length > 0, "The demo left no evidence.");
  const sums = { chains: files.length, events: 0, copies: 0 };
  for (const file of files.map((name) => join(directory, name))) {
    const [whole] = verify(python, [file], [...by, "--checkpoint", `${file}.checkpoint`]);
    must(whole?.valid === true, `The demo's evidence is not valid: event ${whole?.firstBad}.`);
    const copies = changedCopies(file, directory);
    for (const [seq, { firstBad }] of verify(python, copies, by).entries()) {
      must(firstBad === seq, `Event ${seq} was changed, and event ${firstBad} is blamed.`);
    }
    sums.events += whole.events;
    sums.copies += copies.length;
  }
  return sums;
}

try {
  const python = virtualEnvironment(join(scratch, "venv"));
  const lacking = install(python, [cryptography]);
  if (lacking === null) {
    const cases = vectors(python);
    const { chains, events, copies } = demo(python, join(scratch, "kept"));
    console.log(
      `check-python: ${cases} vector cases; ${chains} chain of the demo (${events} events) and ${copies} changed copies: as guard verify says.`,
    );
  } else {
    console.log(`check-python: SKIPPED: ${lacking}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
