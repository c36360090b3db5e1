/** What a lie has at hand when it is told, and the small changes that lies are made of. */
import { base64url, randomBytes } from "@guard/core";
import type { Accomplices } from "./accomplices.ts";
import type { Choose } from "./choices.ts";
import type { Call } from "./lie.ts";
import type { Memory } from "./memory.ts";

export interface Tools {
  readonly choose: Choose;
  readonly memory: Memory;
  readonly accomplices: Accomplices;
  readonly now: () => number;
  /** Whether this client may be kept waiting for long. */
  readonly patient: boolean;
  /** The honest answer, remembered; null where it is not a 2xx with JSON. */
  honest(): Promise<{ status: number; value: unknown } | null>;
  /** Does something once a few more calls have come. */
  later(work: () => Promise<unknown>): void;
}

export type Telling = (call: Call, tools: Tools) => Promise<Response | undefined>;

export const someDigest = () => base64url(randomBytes(32));
export const pick = <T>(choose: Choose, all: readonly T[]): T | undefined =>
  all[choose(Math.max(all.length, 1))];
export const refusal = (status: number, code: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { code, message: "says the relay" } }, { status, headers });

/** Changes the honest answer; `change` returns undefined where it does not apply. */
export async function change<T>(tools: Tools, how: (value: T) => unknown): Promise<Response | undefined> {
  const honest = await tools.honest();
  if (honest === null) return undefined;
  const value = await how(honest.value as T);
  return Response.json(value ?? honest.value, { status: honest.status });
}

/** One changed character of a text: another one of its alphabet. */
export function bitten(text: string, choose: Choose): string {
  if (text === "") return "A";
  const at = choose(text.length);
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}

export function shortened<T extends string | readonly unknown[]>(value: T, choose: Choose): T {
  return value.slice(0, choose(value.length + 1)) as T;
}
