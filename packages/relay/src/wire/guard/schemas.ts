/** The bodies that the Guard wire takes; unknown members are refused. Replies are described in `@guard/core`. */
import { digestSchema, headSchema, sealedReplySchema, signedSchema } from "@guard/core";
import * as z from "zod";

export const newApp = z.strictObject({ root: signedSchema, tokenHash: digestSchema });
export const newEntry = z.strictObject({ entry: signedSchema });
export const newToken = z.strictObject({ grant: signedSchema });
export const newInvite = z.strictObject({ invite: signedSchema });
export const newEnrolment = z.strictObject({ enrolment: signedSchema });
export const foreignApp = z.strictObject({ app: signedSchema });
export const foreignView = z.strictObject({ app: z.nullable(signedSchema) });
export const newRequest = z.strictObject({
  header: signedSchema,
  ciphertext: z.string(),
  wraps: z
    .array(
      z.strictObject({ device: digestSchema, enc: z.string().max(2000), ciphertext: z.string().max(500) }),
    )
    .max(200),
});
export const answer = z.strictObject({ statement: signedSchema, reply: z.nullable(sealedReplySchema) });
export const unsigned = z.strictObject({ unsigned: signedSchema });
export const consume = z.strictObject({ consume: signedSchema });
export const report = z.strictObject({ report: signedSchema });
export const cancel = z.strictObject({ cancel: signedSchema });

export const nothing = z.strictObject({});
export const head = headSchema;

const whole = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "a whole number")
    .transform(Number)
    .refine((n) => n <= max, `at most ${max}`);

export const noQuery = z.strictObject({});
export const rosterQuery = z.strictObject({
  from: whole(Number.MAX_SAFE_INTEGER).optional(),
  wanted: z.array(z.string().min(1).max(320)).max(100).optional(),
});
export const requestQuery = z.strictObject({
  wait: whole(55).optional(),
  version: whole(Number.MAX_SAFE_INTEGER).optional(),
});
export const listQuery = z.strictObject({
  state: z.enum(["open", "closed"]).optional(),
  before: z.optional(digestSchema),
});
