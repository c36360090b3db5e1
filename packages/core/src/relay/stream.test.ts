import { expect, test } from "vitest";
import { ConfigurationError, UnavailableError } from "../errors.ts";
import { followChanges } from "./changes.ts";
import { createRelayClient } from "./client.ts";

type Fetch = typeof globalThis.fetch;
const url = "https://relay.example.com";
const stream =
  (text: string): Fetch =>
  async () =>
    new Response(text, { headers: { "content-type": "text/event-stream" } });

/** What goes wrong first where the stream is `fetch`'s and polling finds nothing. */
async function problemOf(fetch: Fetch): Promise<unknown> {
  const stop = new AbortController();
  const problems: unknown[] = [];
  const changes = followChanges({
    client: createRelayClient({ url, token: "t", fetch }),
    signal: stop.signal,
    onProblem: (problem) => problems.push(problem),
    poll: async () => {
      stop.abort();
      return null;
    },
  });
  for await (const _ of changes) stop.abort();
  return problems[0];
}

test.each([
  ["no JSON", "event: state\ndata: {\n\n"],
  ["another shape", 'event: roster\ndata: {"seq":-1}\n\n'],
])("hostile relay: a stream that says %s is an outage, and the one error for it", async (_, text) => {
  expect(await problemOf(stream(text))).toBeInstanceOf(UnavailableError);
});

test("hostile relay: an event without an end is given up, whatever memory there is", async () => {
  const endless: Fetch = async () => {
    const line = new TextEncoder().encode("x".repeat(1 << 20));
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(line) });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  expect(await problemOf(endless)).toBeInstanceOf(UnavailableError);
});

test("a stream that cannot be reached is the same outage as a call that cannot", async () => {
  const away: Fetch = () => Promise.reject(new TypeError("fetch failed"));
  expect(await problemOf(away)).toMatchObject({ code: "unavailable", relayCode: "unreachable" });
});

test("secret-leak: a token that no header can carry is refused, and not quoted", () => {
  const make = () => createRelayClient({ url, token: "canary\nline" });
  expect(make).toThrow(ConfigurationError);
  expect(make).not.toThrow(/canary/);
});
