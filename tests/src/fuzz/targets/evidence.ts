/**
 * Chains of evidence: lines, whole files with torn ends, and the checkpoint beside them. A changed chain is never
 * valid with the head of the real one, and a chain is continued only where nothing is lost.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  canonicalJson,
  fileEvidence,
  openChain,
  parseCheckpoint,
  readEvidence,
  readLine,
  type Signed,
  verifyChain,
} from "@guard/core";
import { canonicalReading } from "../independent.ts";
import { signed as looksSigned } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

export function evidenceTargets({ evidence, owner, keys, connection }: World): Target[] {
  const { lines } = evidence;
  const kept = evidence.checkpoint as string;
  const checkpoint = JSON.parse(kept) as Signed;
  const covered = (JSON.parse(checkpoint.body) as { seq: number }).seq;
  const roster = owner.roster();
  const whole = lines.join("\n");
  const directory = mkdtempSync(join(tmpdir(), "guard-fuzz-"));
  let files = 0;

  return [
    {
      name: "chain-lines",
      covers: ["verifyChain", "readLine"],
      seeds: [whole],
      codec: oneLine,
      runs: 300,
      async judge(input) {
        const given = input.split("\n");
        for (const line of given.slice(0, 60)) {
          const event = await guarded(() => readLine(line));
          if (event === undefined) continue;
          expect(isDeepStrictEqual(event, canonicalReading(line)), "two readings of one event");
          expect(canonicalJson(event) === line, "an event is not written as it was read");
        }
        const bare = await verifyChain(given, { roster: null });
        const judged = await verifyChain(given, { roster, expectedApp: roster.app });
        const held = await verifyChain(given, { roster, checkpoint });
        const same = isDeepStrictEqual(given, lines);
        expect(!judged.valid || bare.valid, "valid with a roster and not without");
        expect(!bare.valid || bare.events === given.length, "valid, and not every line is an event");
        expect(
          !held.valid || isDeepStrictEqual(given.slice(0, covered + 1), lines.slice(0, covered + 1)),
          "changed, cut, and valid by its checkpoint",
        );
        expect(
          !bare.valid || same || given.length !== lines.length || given.at(-1) !== lines.at(-1),
          "changed, and valid with the same head",
        );
        // Without a checkpoint a chain may end sooner; what people signed cannot be made up.
        for (const request of judged.requests)
          expect(
            !judged.valid || request.by.length === 0 || whole.includes(request.request),
            "somebody decided what was never asked",
          );
        expect(
          !judged.valid ||
            given.every((line, i) => i > covered || line === lines[i] || i >= lastSigned(given)),
          "changed below a signature, and valid",
        );
        return same && held.valid;
      },
    },
    {
      name: "checkpoints",
      covers: ["parseCheckpoint", "verifyChain"],
      seeds: [kept],
      runs: 300,
      async judge(input) {
        const given = await guarded(() => parseCheckpoint(input));
        if (given === undefined) return false;
        expect(looksSigned(given), "a checkpoint without its shape");
        expect(canonicalJson(given) === input.trimEnd(), "it is not written as it was read");
        const report = await guarded(() => verifyChain(lines, { roster, checkpoint: given }));
        expect(
          !report?.valid || given.body === checkpoint.body,
          "a checkpoint is believed that nobody signed",
        );
        return report?.valid === true;
      },
    },
    {
      name: "chain-files",
      covers: ["openChain", "fileEvidence", "readEvidence", "parseCheckpoint"],
      // Files as characters of one byte each, so that bytes which are no UTF-8 are tried too.
      seeds: [
        JSON.stringify({ file: bytes(`${whole}\n`), checkpoint: bytes(kept) }),
        JSON.stringify({ file: bytes(`${whole}\n${lines[0]?.slice(0, 90)}`), checkpoint: bytes(kept) }),
      ],
      // Cut at the end of every line and inside of it, below the checkpoint that is kept.
      tries: lines.flatMap((line, i) => {
        const before = lines.slice(0, i).map((each) => `${each}\n`);
        const cuts = [before.join(""), before.join("") + line.slice(0, 80), before.join("") + line];
        return cuts.map((file) => JSON.stringify({ file: bytes(file), checkpoint: bytes(kept) }));
      }),
      runs: 60,
      async judge(input) {
        let given: { file: string; checkpoint: string | null };
        try {
          given = JSON.parse(input) as typeof given;
        } catch {
          return false;
        }
        if (typeof given?.file !== "string") return false;
        const file = join(directory, `${files++}.jsonl`);
        const sidecar = `${file}.checkpoint`;
        writeFileSync(file, Buffer.from(given.file, "latin1"));
        if (typeof given.checkpoint === "string")
          writeFileSync(sidecar, Buffer.from(given.checkpoint, "latin1"));
        try {
          const chain = await guarded(() =>
            openChain({
              store: fileEvidence({ file }),
              app: connection.app,
              agent: connection.agent,
              signer: keys.signer,
              roster: () => roster.head,
            }),
          );
          if (chain === undefined) return false;
          await chain.close();
          const now = readFileSync(file, "utf8").split("\n");
          const before = Buffer.from(given.file, "latin1").toString();
          // Whole events are there still; only a last line that is none, which a crash may leave, is put aside.
          const lasting = before
            .slice(0, before.lastIndexOf("\n") + 1)
            .split("\n")
            .slice(0, -1);
          if ((await guarded(() => readLine(lasting.at(-1) ?? ""))) === undefined) lasting.pop();
          expect(
            isDeepStrictEqual(now.slice(0, lasting.length), lasting),
            "a chain was continued over an event that is gone",
          );
          if (given.checkpoint === bytes(kept))
            expect(
              now.slice(0, covered + 1).join("\n") === lines.slice(0, covered + 1).join("\n"),
              "a chain was continued below its checkpoint",
            );
          const report = await verifyChain(readEvidence(file), { roster: null });
          expect(report.valid, `a chain was continued and is not valid: ${report.problems[0]}`);
          return true;
        } finally {
          for (const name of [file, sidecar]) rmSync(name, { force: true });
          rmSync(`${file}.lock`, { force: true });
        }
      },
      async close() {
        rmSync(directory, { recursive: true, force: true });
      },
    },
  ];

  /** The last line that a checkpoint of the chain itself covers. */
  function lastSigned(given: readonly string[]): number {
    for (let i = given.length - 1; i > 0; i--)
      if (given[i] === lines[i] && (lines[i] as string).includes("CHECKPOINT_CREATED")) return i;
    return 0;
  }
}

/** Lets the mutator change the inside of one event, by its JSON, in the middle of all lines. */
const oneLine = {
  decode(text: string) {
    const lines = text.split("\n");
    return lines[(text.length * 31) % lines.length] ?? null;
  },
  encode: (inner: string) => inner,
};

const bytes = (text: string) => Buffer.from(text).toString("latin1");
