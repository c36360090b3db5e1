/** What a relay answers: JSON bodies, errors, pages of a roster, and streams of events, however they are cut. */
import {
  apiErrorSchema,
  consumedSchema,
  createRelayClient,
  enrolmentViewSchema,
  followChanges,
  followRoster,
  headSchema,
  isGuardError,
  relayInfoSchema,
  requestListSchema,
  requestViewSchema,
  rosterPageSchema,
} from "@guard/core";
import type * as z from "zod/mini";
import { isBase64url } from "../independent.ts";
import { signed } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

const schemas = {
  relayInfoSchema,
  rosterPageSchema,
  enrolmentViewSchema,
  requestViewSchema,
  requestListSchema,
  consumedSchema,
  headSchema,
  apiErrorSchema,
} as const;

/** One answer of a relay, as an input: status, headers and body. */
interface Given {
  readonly schema: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export function replyTargets(world: World): Target[] {
  const { calls, owner, url } = world;
  const given = (schema: keyof typeof schemas, path: RegExp, method: string) =>
    calls
      .filter(
        (call) => call.method === method && path.test(call.path) && call.reply !== null && call.status < 300,
      )
      .slice(-2)
      .map(({ status, reply }) =>
        JSON.stringify({ schema, status, headers: { "content-type": "application/json" }, body: reply }),
      );
  const refusals = [
    "unauthorized",
    "suspended",
    "invalid",
    "clock_skew",
    "no_device",
    "completed",
    "rate_limited",
    "unknown",
  ];
  const roster = owner.roster();
  const page = { entries: roster.entries, head: roster.head };

  return [
    {
      name: "replies-of-relays",
      covers: ["createRelayClient"],
      seeds: [
        ...given("relayInfoSchema", /\/v1\/relay$/, "GET"),
        ...given("rosterPageSchema", /\/v1\/roster\?/, "GET"),
        ...given("enrolmentViewSchema", /\/v1\/enrolments\//, "GET"),
        ...given("requestViewSchema", /\/v1\/requests\/[\w-]{43}$/, "GET"),
        ...given("requestListSchema", /\/v1\/requests\?/, "GET"),
        ...given("consumedSchema", /\/consume$/, "POST"),
        ...given("headSchema", /\/v1\/(apps|roster)$/, "POST"),
      ],
      runs: 600,
      judge: (input) => answered(input),
    },
    {
      name: "errors-of-relays",
      covers: ["createRelayClient"],
      seeds: refusals.map((code, i) =>
        JSON.stringify({
          schema: "apiErrorSchema",
          status: [200, 400, 401, 403, 409, 429, 500, 503][i],
          headers: { "content-type": "application/json", "retry-after": "1" },
          body: JSON.stringify({ error: { code, message: "No. Do this instead." } }),
        }),
      ),
      runs: 600,
      async judge(input) {
        await answered(input);
        return true; // A refusal is thrown as an error of Guard's, which is all that it has to be.
      },
    },
    {
      name: "roster-pages",
      covers: ["followRoster"],
      seeds: [
        JSON.stringify(page),
        JSON.stringify({ entries: roster.entries.slice(0, 3), head: roster.at(2).head }),
      ],
      runs: 200,
      async judge(input) {
        let left = 20;
        const fetch: typeof globalThis.fetch = async () => {
          expect(left-- > 0, "one page is asked for without end");
          return new Response(new TextEncoder().encode(input), {
            headers: { "content-type": "application/json" },
          });
        };
        const client = createRelayClient({ url, token: "t", retries: 0, fetch });
        const follower = followRoster({ client, app: roster.app, floor: null, store: null });
        const read = await guarded(() => follower.ready());
        if (read === undefined) return false;
        expect(
          read.entries.every(({ body }, i) => body === roster.entries[i]?.body),
          "an entry was read that nobody signed there",
        );
        await guarded(() => follower.sync());
        await guarded(() => follower.reach(page.head));
        return true;
      },
    },
    {
      name: "streams",
      covers: ["followChanges"],
      seeds: [
        sse([
          [
            "state",
            { requests: [{ request: roster.head.hash, state: "pending", version: 1 }], roster: roster.head },
          ],
          ["request", { request: roster.head.hash, state: "approved", version: 2 }],
          ["roster", roster.head],
        ]),
        `: keep-alive\n\n${sse([
          ["roster", roster.head],
          ["later", { é: "\u2028" }],
        ])}`,
      ],
      runs: 600,
      async judge(input) {
        const bytes = new TextEncoder().encode(input);
        // Cut where the input says, so that a run repeats: inside of characters too.
        const size = 1 + (input.length % 17);
        const stop = new AbortController();
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            for (let at = 0; at < bytes.length; at += size * 7)
              controller.enqueue(bytes.subarray(at, at + size * 7));
            controller.close();
            // Everything is read in one go; whoever follows would come back after a pause.
            setImmediate(() => setImmediate(() => stop.abort()));
          },
        });
        const fetch: typeof globalThis.fetch = async () =>
          new Response(body, { headers: { "content-type": "text/event-stream" } });
        const client = createRelayClient({ url, token: "t", retries: 0, fetch });
        let heard = 0;
        const poll = async (): Promise<null> => {
          stop.abort();
          return null;
        };
        const onProblem = (problem: unknown): void => {
          if (!isGuardError(problem)) throw problem;
          stop.abort();
        };
        await guarded(async () => {
          for await (const change of followChanges({ client, signal: stop.signal, poll, onProblem })) {
            heard++;
            const places =
              change.event === "state" ? change.requests : change.event === "request" ? [change] : [];
            expect(
              places.every(({ request }) => isBase64url(request, 32)),
              "a request that is no id",
            );
            if (change.event === "roster") expect(isBase64url(change.hash, 32), "a head that is none");
          }
        });
        return heard > 0;
      },
    },
  ];

  async function answered(input: string): Promise<boolean> {
    let reply: Given;
    try {
      reply = JSON.parse(input) as Given;
      const { status, headers, body, schema } = reply;
      if (typeof body !== "string" || !Object.hasOwn(schemas, schema)) return false;
      new Response("", { status, headers });
    } catch {
      return false; // No HTTP server can say this.
    }
    const schema = schemas[reply.schema as keyof typeof schemas];
    const fetch: typeof globalThis.fetch = async () =>
      new Response(new TextEncoder().encode(reply.body), { status: reply.status, headers: reply.headers });
    const client = createRelayClient({ url, token: "t", retries: 0, fetch });
    try {
      const { value } = await client.call("GET", "/v1/relay", { schema: schema as z.ZodMiniType<unknown> });
      const heard = new TextDecoder().decode(new TextEncoder().encode(reply.body));
      expect(isPart(value, JSON.parse(heard)), "the answer says something else");
      expect(everySigned(value), "a signed object without its shape");
      return true;
    } catch (error) {
      if (!isGuardError(error)) throw error;
      const wait = (error as { retryAfter?: unknown }).retryAfter;
      expect(
        wait === undefined || wait === null || (Number.isFinite(wait) && (wait as number) >= 0),
        `retryAfter is ${wait}`,
      );
      return false;
    }
  }
}

function sse(events: readonly (readonly [string, unknown])[]): string {
  return events.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("");
}

/** Whether `part` is `whole` with members left out: shapes of the wire may grow, and what is unknown is dropped. */
function isPart(part: unknown, whole: unknown): boolean {
  if (typeof part !== "object" || part === null) return Object.is(part, whole) || part === whole;
  if (typeof whole !== "object" || whole === null || Array.isArray(part) !== Array.isArray(whole))
    return false;
  if (Array.isArray(part) && part.length !== (whole as unknown[]).length) return false;
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && isPart(value, (whole as never)[key]),
  );
}

function everySigned(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  const { body, signature } = value as { body?: unknown; signature?: unknown };
  if (body !== undefined && signature !== undefined) return signed(value);
  return Object.values(value).every(everySigned);
}
