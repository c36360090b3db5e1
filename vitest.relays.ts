// Real relays for tests that run in a page, which cannot have one of their own: `POST /relays?origin=…&now=…`
// serves a new one that this origin may call and answers its URL; `POST /clock?relay=…&now=…` sets its clock.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import { operatorToken } from "./packages/device/src/relay.fixture.ts";
import { createRelay, serveRelay } from "./packages/relay/src/index.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const clocks = new Map<string, { now: number }>();
  const closes: (() => Promise<void>)[] = [];

  async function start(origin: string, now: number): Promise<string> {
    const clock = { now };
    const relay = await createRelay({
      ...{ database: ":memory:", operatorToken, logger: false, allowedOrigins: [origin] },
      now: () => clock.now,
    });
    const served = await serveRelay(relay);
    clocks.set(served.url, clock);
    closes.push(async () => {
      await served.close();
      await relay.close();
    });
    return served.url;
  }

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://relays");
    const now = Number(searchParams.get("now"));
    response.setHeader("access-control-allow-origin", "*");
    if (pathname === "/relays") {
      response.end(await start(searchParams.get("origin") ?? "", now));
    } else {
      const clock = clocks.get(searchParams.get("relay") ?? "");
      if (clock) clock.now = now;
      response.writeHead(clock ? 200 : 404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  project.provide("relays", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.close();
    server.closeAllConnections();
    await Promise.all(closes.map((close) => close()));
  };
}
