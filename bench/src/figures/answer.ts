/** Verifying one answer as an agent does: header and statement read, the signature checked by the roster, the count. */
import {
  agentKeys,
  createRelayClient,
  fromBase64url,
  outcomeOf,
  readHeader,
  requestViewSchema,
  verifyAnswers,
} from "@guard/core";
import { createBench } from "@guard/testing";
import { oneKiB, sealed } from "../asking.ts";
import { p50, print } from "../figure.ts";

const approvers = ["alice@example.com", "bob@example.com", "carol@example.com"];
const bench = await createBench({ people: approvers, agent: "support" });
const { app, agent, seed, token } = bench.connection;
const roster = bench.owner.roster();
const client = createRelayClient({ url: bench.url, token, fetch: bench.fetch });
const { header, envelope } = await sealed({
  keys: await agentKeys(fromBase64url(seed)),
  app,
  agent,
  key: "k",
  args: oneKiB(),
  devices: approvers.flatMap((identity) => roster.devicesOf(identity)),
  approvers,
  roster: roster.head,
});
const schema = requestViewSchema;
const { value: asked } = await client.call("POST", "/v1/requests", { schema, body: { header, ...envelope } });
const alice = bench.devices.get("alice@example.com");
if (!alice) throw new Error("Alice has no device.");
await alice.decide(await alice.open(await alice.get(asked.request)), { decision: "approve" });
const { value: view } = await client.call("GET", `/v1/requests/${asked.request}`, { schema });
const statements = view.answers.map((answer) => answer.statement);

async function verify() {
  const question = readHeader(view.header);
  return outcomeOf(question, roster, await verifyAnswers(question, roster, statements), Date.now());
}
if ((await verify()).status !== "approved") throw new Error("Alice approved it.");
print({
  name: "verify one answer",
  value: await p50(verify, { samples: 300 }),
  unit: "ms",
  goal: 1,
  better: "lower",
});
await bench.close();
