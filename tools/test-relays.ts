// Real relays for tests that run in a page, which cannot have one of their own. `POST /relays?origin=…&token=…&now=…`
// serves a new one that this origin may call and answers its URL; `POST /clock?relay=…&now=…` sets its clock.
// Prints where it is, and ends with its standard input: vitest.relays.ts holds that.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createRelay, serveRelay } from "../packages/relay/src/index.ts";

const clocks = new Map<string, { now: number }>();

async function start(origin: string, operatorToken: string, now: number): Promise<string> {
  const clock = { now };
  const relay = await createRelay({
    ...{ database: ":memory:", operatorToken, logger: false, allowedOrigins: [origin] },
    now: () => clock.now,
  });
  const { url } = await serveRelay(relay);
  clocks.set(url, clock);
  return url;
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://relays");
  const value = (name: string) => searchParams.get(name) ?? "";
  response.setHeader("access-control-allow-origin", "*");
  if (pathname === "/relays") {
    response.end(await start(value("origin"), value("token"), Number(value("now"))));
  } else {
    const clock = clocks.get(value("relay"));
    if (clock) clock.now = Number(value("now"));
    response.writeHead(clock ? 200 : 404).end();
  }
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.stdin.on("end", () => process.exit()).resume();
