/**
 * `fetch` behind the gate: what a program sends to an API is asked first, by method, URL and JSON body.
 *
 * What is sent is made of what was approved, and of nothing else that a caller chose: headers are the
 * application's own, and a redirect is an error, because nobody approved where it goes.
 */
import type { Guard, Rule } from "@guard/core";
import * as z from "zod";

/** Reads of one API pass; whatever else is sent, or sent elsewhere, is asked. */
export const readsOf = (origin: string): Rule[] => {
  const everything = `${origin.replaceAll(/[\^$.*+?()[\]{}|]/g, "\\$&")}/.*`;
  return [{ tool: "fetch", when: { method: "GET", url: { matches: everything } }, then: "allow" }];
};

/** What approvers see. Also what they may edit: a URL in its only spelling, a method that is known. */
const Call = z.strictObject({
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
  url: z.string().refine((url) => URL.canParse(url) && new URL(url).href === url && /^https?:/.test(url)),
  body: z.json().optional(),
});
type Call = z.infer<typeof Call>;

export interface GuardedFetchOptions {
  readonly guard: Guard;
  readonly session?: string;
  /** Sent with every call and shown to nobody: credentials. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GuardedInit {
  readonly method?: Call["method"];
  /** JSON. */
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export function guardedFetch({ guard, headers, session }: GuardedFetchOptions) {
  const send = guard.protect(
    "fetch",
    ({ method, url, body }: Call, { executionId }) =>
      fetch(url, {
        method,
        redirect: "error",
        headers: { ...headers, "content-type": "application/json", "idempotency-key": executionId },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    { schema: Call, ...(session === undefined ? {} : { session }) },
  );

  return async (url: string | URL, init: GuardedInit = {}): Promise<Response> => {
    const { method = "GET", body, signal, ...others } = init;
    const [other] = Object.keys(others);
    if (other !== undefined)
      throw new TypeError(`Nobody would be shown ${other}. A guarded fetch takes method, body and signal.`);
    const call = {
      method,
      url: new URL(url).href,
      ...(body === undefined ? {} : { body: JSON.parse(body) }),
    };
    return send(Call.parse(call), signal ? { signal } : {});
  };
}
