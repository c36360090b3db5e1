/**
 * For tests: the real relay with a clock that the test moves. In this process without a socket; where the tests
 * run in a page, one that `tools/test-relays.ts` serves for it, called over HTTP from another origin (CORS).
 */
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Where `tools/test-relays.ts` is; absent where tests have relays in their own process. */
    relays?: string;
  }
}

export const operatorToken = "operator-token-of-the-tests";

export interface TestRelay {
  readonly url: string;
  readonly fetch: typeof globalThis.fetch;
}

export async function testRelay(clock: { readonly now: number }): Promise<TestRelay> {
  const service = inject("relays");
  return service === undefined ? ownRelay(clock) : servedRelay(service, clock);
}

async function ownRelay(clock: { readonly now: number }): Promise<TestRelay> {
  const { createRelay } = await import("@guard/relay");
  const relay = await createRelay({
    database: ":memory:",
    operatorToken,
    logger: false,
    now: () => clock.now,
  });
  return {
    url: "http://127.0.0.1",
    fetch: async (input, init) => relay.fetch(new Request(input, init)),
  };
}

async function servedRelay(service: string, clock: { readonly now: number }): Promise<TestRelay> {
  const tell = async (path: string) => {
    const response = await fetch(`${service}${path}`, { method: "POST" });
    if (!response.ok) throw new Error(`tools/test-relays.ts answered ${response.status} to ${path}.`);
    return response.text();
  };
  let told = clock.now;
  const url = await tell(
    `/relays?origin=${encodeURIComponent(location.origin)}&token=${operatorToken}&now=${told}`,
  );
  return {
    url,
    async fetch(input, init) {
      if (clock.now !== told) {
        told = clock.now;
        await tell(`/clock?relay=${encodeURIComponent(url)}&now=${told}`);
      }
      return fetch(input, init);
    },
  };
}
