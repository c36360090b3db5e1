/** The relay, in a process of its own: it sees neither arguments nor reasons, and can decide nothing. */
import { readPage } from "@guard/approver";
import { createRelay, serveRelay } from "@guard/relay";
import { given, parent } from "./processes.ts";

const { report, signal } = parent();
const relay = await createRelay({
  database: given("DEMO_DATABASE"),
  operatorToken: given("DEMO_OPERATOR_TOKEN"),
  logger: false,
  ...(given("DEMO_LIVE") === "1" ? { page: await readPage() } : {}),
});
const server = await serveRelay(relay, { host: "127.0.0.1", port: 0 });
signal.addEventListener("abort", async () => {
  await server.close();
  await relay.close();
  process.exit(0);
});
report({ kind: "ready", url: server.url });
