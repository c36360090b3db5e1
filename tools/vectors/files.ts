/** Vectors of evidence files: how bytes are lines, and what a crash or an editor leaves. */
import { base64url, utf8, verifyChain } from "../../packages/core/src/index.ts";
import { Story } from "./story.ts";
import type { VectorFile, World } from "./world.ts";

interface Given {
  readonly bytes: Uint8Array;
  /** What the bytes are, as a reader of files has to see them; null where a line is no text. */
  readonly lines: readonly string[];
  readonly bad?: number;
}

export async function files(w: World): Promise<VectorFile> {
  const story = await Story.begin(w);
  story.allow("a", { args: { note: "one line\u2028still the same, and \u0085 too" } });
  await story.checkpoint();
  const { lines } = story;
  const whole = Buffer.from(`${lines.join("\n")}\n`);
  const last = lines.length - 1;
  const cases: object[] = [];
  async function add(name: string, { bytes, lines: seen, bad }: Given): Promise<void> {
    const report = await verifyChain(seen, { roster: w.later });
    if ((report.firstBad?.seq ?? null) !== (bad ?? null))
      throw new Error(`files: ${name}: ${report.problems}`);
    const { valid, events } = report;
    cases.push({ name, bytes: base64url(bytes), expected: { valid, firstBad: bad ?? null, events } });
  }
  const noText = "\ufffd";
  await add("whole, with line separators of Unicode inside a line", { bytes: whole, lines });
  await add("no line feed at the end", { bytes: whole.subarray(0, -1), lines });
  await add("a torn last line", {
    bytes: whole.subarray(0, -40),
    lines: lines.with(last, (lines[last] as string).slice(0, -39)),
    bad: last,
  });
  await add("nothing", { bytes: new Uint8Array(0), lines: [], bad: 0 });
  await add("one line feed", { bytes: utf8("\n"), lines: [""], bad: 0 });
  await add("an empty line at the end", {
    bytes: Buffer.concat([whole, utf8("\n")]),
    lines: [...lines, ""],
    bad: last + 1,
  });
  await add("carriage returns", {
    bytes: utf8(lines.map((line) => `${line}\r\n`).join("")),
    lines: lines.map((line) => `${line}\r`),
    bad: 0,
  });
  await add("a byte order mark", {
    bytes: Buffer.concat([Uint8Array.of(0xef, 0xbb, 0xbf), whole]),
    lines: lines.with(0, `\ufeff${lines[0]}`),
    bad: 0,
  });
  const broken = Buffer.from(whole);
  broken[lines.slice(0, 3).join("\n").length + 20] = 0xff;
  await add("a byte that is not UTF-8", { bytes: broken, lines: lines.with(3, noText), bad: 3 });
  const zero = Buffer.concat([whole, new Uint8Array(16)]);
  await add("zeros after a crash", { bytes: zero, lines: [...lines, "\0".repeat(16)], bad: last + 1 });
  return {
    description:
      "Evidence files (protocol.md, section 10.1): `bytes` of a file, base64url, verified with the whole chain of rosters.json, no checkpoint from elsewhere and no expected app.",
    app: w.app,
    cases,
  };
}
