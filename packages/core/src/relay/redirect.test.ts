import { expect, test } from "vitest";
import * as z from "zod/mini";
import { createRelayClient } from "./client.ts";

type Fetch = typeof globalThis.fetch;

/** A client behind which every call is answered by a redirect; how it was called is kept. */
function redirected(status: number) {
  const asked: { url: string; redirect: string }[] = [];
  const fetch: Fetch = async (input, init) => {
    const { url, redirect } = new Request(input, init);
    asked.push({ url, redirect });
    return new Response("elsewhere", { status, headers: { location: "https://evil.example/v1/relay" } });
  };
  return { asked, client: createRelayClient({ url: "https://relay.example.com", token: "t", fetch }) };
}

test.each([301, 302, 303, 307, 308])(
  "secret-leak: a redirect (%i) is not followed and is one outage",
  async (status) => {
    const { client, asked } = redirected(status);
    const signal = AbortSignal.timeout(5_000);
    const calls = [
      () => client.call("GET", "/v1/relay", { schema: z.unknown() as z.ZodMiniType<unknown> }),
      () => client.call("POST", "/v1/requests", { schema: z.unknown() as z.ZodMiniType<unknown>, body: {} }),
      () => client.stream("/v1/stream", { signal }),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("redirects"),
      });
    }
    expect(asked.map(({ url }) => new URL(url).host)).toEqual(Array(3).fill("relay.example.com"));
    // workerd knows no `error`, and throws on it: no call would ever leave an edge worker.
    expect(new Set(asked.map(({ redirect }) => redirect))).toEqual(new Set(["manual"]));
  },
);
