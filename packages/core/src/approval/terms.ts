/**
 * Terms: what it takes for a request to be approved. They travel in the signed header, so relay, device,
 * agent and verifier judge by the same ones.
 */
import * as z from "zod/mini";
import type { ForeignWire } from "../roster/entry.ts";

export interface Terms {
  /** Identities that may answer: normalised, distinct, sorted. Any `quorum` of them suffice. */
  readonly approvers: readonly string[];
  /** How many distinct identities have to approve the same action; at least 1. */
  readonly quorum: number;
  /** How many distinct identities reject the request; at least 1. */
  readonly rejections: number;
  /** Whether an approver may return other arguments. */
  readonly editable: boolean;
  /** On whose behalf the agent asks: this identity's own answer does not count. */
  readonly requester: string | null;
  /** The other system whose unsigned answers count as well; absent where none does. Only with a quorum of 1. */
  readonly unsigned?: ForeignWire | undefined;
}

const identity = z.string().check(z.minLength(1), z.maxLength(320));

export const termsSchema = z
  .strictObject({
    approvers: z.array(identity).check(z.minLength(1), z.maxLength(100)),
    quorum: z.int().check(z.gte(1), z.lte(100)),
    rejections: z.int().check(z.gte(1), z.lte(100)),
    editable: z.boolean(),
    requester: z.nullable(identity),
    unsigned: z.optional(z.literal("noxy")),
  })
  .check(
    z.refine((terms) => terms.unsigned === undefined || terms.quorum === 1, {
      error: "an unsigned answer never counts towards a quorum above 1",
    }),
    z.refine((terms) => terms.approvers.every((name, i, all) => i === 0 || (all[i - 1] as string) < name), {
      error: "approvers have to be sorted and distinct",
    }),
    z.refine((terms) => eligible(terms).length >= terms.quorum, {
      error: "the quorum is larger than the number of people who may answer",
    }),
  );

/** Who may answer: the approvers without the requester. */
export function eligible(terms: Terms): readonly string[] {
  return terms.approvers.filter((identity) => identity !== terms.requester);
}
