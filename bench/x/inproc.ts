import { mkdtempSync } from "node:fs";
import { agentKeys, ed25519Signer, foundApp, fromBase64url, randomBytes } from "@guard/core";
import { enrolOwn, memoryDeviceStore } from "@guard/device";
import { createRelay } from "@guard/relay";
import { oneKiB, sealed } from "../src/asking.ts";

const big = { perSecond: 1e6, burst: 1e6 };
const relay = await createRelay({
  database: mkdtempSync("/tmp/guard/x-") + "/r.db",
  operatorToken: "operator-token-of-a-test",
  logger: false,
  limits: { tokenRate: big, addressRate: big },
});
const fetch = async (i, o) => relay.fetch(new Request(i, o));
const url = "http://127.0.0.1:1";
const owner = await foundApp({
  relay: url,
  operatorToken: "operator-token-of-a-test",
  signer: await ed25519Signer(randomBytes(32)),
  fetch,
});
const approvers = ["alice@example.com", "bob@example.com", "carol@example.com"];
for (const identity of approvers)
  await enrolOwn(owner, { identity, name: "p", store: memoryDeviceStore(), fetch });
const calls = [];
for (let a = 0; a < 8; a++) {
  const { app, agent, seed, token } = await owner.addAgent("a" + a);
  const keys = await agentKeys(fromBase64url(seed));
  const roster = owner.roster();
  const devices = approvers.flatMap((i) => roster.devicesOf(i));
  for (let n = 0; n < 750; n++) {
    const { header, envelope } = await sealed({
      keys,
      app,
      agent,
      key: "k" + n,
      args: oneKiB(n),
      devices,
      approvers,
      roster: roster.head,
    });
    calls.push({ token, body: JSON.stringify({ header, ...envelope }) });
  }
}
console.log("body", calls[0].body.length);

import { Session } from "node:inspector/promises";
const s = new Session();
s.connect();
await s.post("Profiler.enable");
await s.post("Profiler.start");
const c0 = process.cpuUsage(),
  t0 = performance.now();
const it = calls.values();
await Promise.all(
  Array.from({ length: 64 }, async () => {
    for (const { token, body } of it) {
      const r = await relay.fetch(
        new Request(url + "/v1/requests", {
          method: "POST",
          headers: { authorization: "Bearer " + token, "content-type": "application/json" },
          body,
        }),
      );
      if (r.status !== 201) throw new Error(await r.text());
      await r.text();
    }
  }),
);
const c = process.cpuUsage(c0);
console.log(
  "cpu µs/req",
  ((c.user + c.system) / calls.length).toFixed(0),
  "user",
  (c.user / calls.length).toFixed(0),
  "wall",
  (((performance.now() - t0) * 1000) / calls.length).toFixed(0),
);
const { profile } = await s.post("Profiler.stop");
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
rmSync("/tmp/guard/prof", { recursive: true, force: true });
mkdirSync("/tmp/guard/prof");
writeFileSync("/tmp/guard/prof/a.cpuprofile", JSON.stringify(profile));
await relay.close();
process.exit(0);
