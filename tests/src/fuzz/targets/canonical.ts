/** Canonical JSON, base64url, snapshots and the bodies of all signed objects, against a second reading of each. */
import { isDeepStrictEqual } from "node:util";
import {
  base64url,
  canonicalJson,
  fromBase64url,
  parseCanonical,
  readCancel,
  readConsume,
  readEnrolment,
  readEntry,
  readForeignApp,
  readHeader,
  readInvite,
  readReceipt,
  readReport,
  readStatement,
  readTokenGrant,
  readUnsigned,
  type Signed,
} from "@guard/core";
import { maxSnapshotDepth, snapshot } from "../../../../packages/core/src/action/snapshot.ts";
import { readPaper } from "../../../../packages/core/src/approval/request.ts";
import { readReply } from "../../../../packages/core/src/approval/statement.ts";
import { readCheckpoint } from "../../../../packages/core/src/evidence/checkpoint.ts";
import { canonicalReading, isBase64url } from "../independent.ts";
import { shapes } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

const bare = (read: (text: string) => unknown) => (signed: Signed) => read(signed.body);

const readers: Readonly<Record<string, (signed: Signed) => unknown>> = {
  "guard/v1/cancel": readCancel,
  "guard/v1/checkpoint": readCheckpoint,
  "guard/v1/consume": readConsume,
  "guard/v1/enrolment": readEnrolment,
  "guard/v1/foreign-app": readForeignApp,
  "guard/v1/invite": readInvite,
  "guard/v1/paper": bare(readPaper),
  "guard/v1/receipt": readReceipt,
  "guard/v1/reply": bare(readReply),
  "guard/v1/report": readReport,
  "guard/v1/request": readHeader,
  "guard/v1/roster": readEntry,
  "guard/v1/statement": readStatement,
  "guard/v1/token": readTokenGrant,
  "guard/v1/unsigned": readUnsigned,
};

export function canonicalTargets({ bodies }: World): Target[] {
  const values = [
    '{"a":[1,2.5,-3e-7,1e+21,true,false,null],"b":{"":"\\u0001\\n\\"\\\\","é":"💣 \u2028"}}',
    '[{"10":1,"9":2,"a":{"b":[[],{}]}},"\u007f",0.1]',
  ];
  return [
    {
      name: "canonical",
      covers: ["parseCanonical", "canonicalJson"],
      seeds: [...values, ...Object.values(bodies).flat()],
      runs: 2000,
      async judge(input) {
        const value = await guarded(() => parseCanonical(input));
        const second = canonicalReading(input);
        expect(
          (value === undefined) === (second === undefined),
          `Guard says ${value !== undefined}, the second reading does not`,
        );
        if (value === undefined) return false;
        expect(isDeepStrictEqual(value, second), "two readings of one text");
        expect(canonicalJson(value) === input, "it is not written as it was read");
        return true;
      },
    },
    {
      name: "base64url",
      covers: ["fromBase64url", "base64url"],
      seeds: ["", "AA", "AAE", "AAEC", "_-_-", Buffer.from(values[0] as string).toString("base64url")],
      runs: 1500,
      async judge(input) {
        const bytes = await guarded(() => fromBase64url(input));
        expect(
          (bytes !== undefined) === isBase64url(input),
          `Guard says ${bytes !== undefined}, Buffer does not`,
        );
        if (bytes === undefined) return false;
        expect(Buffer.from(input, "base64url").equals(bytes), "other bytes than Buffer's");
        expect(base64url(bytes) === input, "it is not written as it was read");
        return true;
      },
    },
    {
      name: "snapshot",
      covers: [],
      seeds: values,
      runs: 750,
      async judge(input) {
        let value: unknown;
        try {
          value = JSON.parse(input);
        } catch {
          return false;
        }
        const copy = await guarded(() => snapshot(value));
        if (copy === undefined) return false;
        const text = canonicalJson(copy);
        expect(isDeepStrictEqual(canonicalReading(text), JSON.parse(text)), "a snapshot has two readings");
        expect(
          isDeepStrictEqual(JSON.parse(JSON.stringify(value)), JSON.parse(JSON.stringify(copy))),
          "the snapshot says something else",
        );
        expect(depth(copy) <= maxSnapshotDepth, "deeper than a paper can hold");
        return true;
      },
    },
    {
      name: "bodies",
      covers: [
        "readCancel",
        "readConsume",
        "readEnrolment",
        "readEntry",
        "readForeignApp",
        "readHeader",
        "readInvite",
        "readReceipt",
        "readReport",
        "readStatement",
        "readTokenGrant",
        "readUnsigned",
      ],
      seeds: Object.values(bodies).flat(),
      runs: 3000,
      async judge(input) {
        let accepted = false;
        const second = canonicalReading(input);
        for (const type of asked(second, input.length)) {
          const read = readers[type] as (signed: Signed) => unknown;
          const value = await guarded(() => read({ body: input, signature: "" }));
          const shape = second !== undefined && (shapes[type] as (value: unknown) => boolean)(second);
          expect(
            (value !== undefined) === shape,
            `Guard says ${value !== undefined} to a ${type}, its shape says ${shape}`,
          );
          if (value === undefined) continue;
          expect(canonicalJson(value) === input, `a ${type} is not written as it was read`);
          accepted = true;
        }
        return accepted;
      },
    },
  ];
}

/** The type that a body names, where there is one, and another that it is not. */
function asked(value: unknown, chance: number): Set<string> {
  const types = Object.keys(readers);
  const named = (value as { type?: unknown } | null | undefined)?.type;
  return new Set([types[chance % types.length] as string, ...types.filter((type) => type === named)]);
}

function depth(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}
