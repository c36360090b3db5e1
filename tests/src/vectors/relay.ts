/** Reads the vectors of conversations with a real relay. */
import { fromBase64url, type SigningKey } from "@guard/core";
import { createRelay } from "@guard/relay";
import { expect, test } from "vitest";
import { type Case, load } from "./shared.ts";

export function readConversations(file: string) {
  interface Step {
    readonly at: number;
    readonly method: string;
    readonly path: string;
    readonly token: string | null;
    readonly body?: unknown;
    readonly status: number;
    readonly code?: string;
    readonly reply?: object;
  }
  const { relay, setup, cases } = load<{
    relay: { url: string; seed: string; operatorToken: string; key: SigningKey };
    setup: Step[];
    cases: (Case & { steps: Step[] })[];
  }>(file);
  test.each(cases)("$name", async ({ steps }) => {
    let clock = 0;
    const server = await createRelay({
      ...{ database: ":memory:", logger: false, operatorToken: relay.operatorToken },
      ...{ key: fromBase64url(relay.seed, 32), now: () => clock },
      limits: { addressRate: { perSecond: 1000, burst: 1000 } },
    });
    try {
      expect(server.key).toEqual(relay.key);
      for (const [i, { at, method, path, token, body, status, code, reply }] of [
        ...setup,
        ...steps,
      ].entries()) {
        clock = at;
        const answer = await server.fetch(
          new Request(relay.url + path, {
            method,
            headers: {
              ...(token === null ? {} : { authorization: `Bearer ${token}` }),
              ...(method === "POST" ? { "content-type": "application/json" } : {}),
            },
            ...(method === "POST" ? { body: JSON.stringify(body) } : {}),
          }),
        );
        const got = (await answer.json()) as { error?: { code: string } };
        const where = `step ${i - setup.length}: ${method} ${path} ${JSON.stringify(got).slice(0, 300)}`;
        expect({ status: answer.status, code: got.error?.code }, where).toEqual({ status, code });
        if (reply) expect(got, where).toMatchObject(reply);
      }
    } finally {
      await server.close();
    }
  });
}
