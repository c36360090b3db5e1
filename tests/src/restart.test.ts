// Real processes: an agent is killed while it waits, and another one takes up where it was.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readEvidence, verifyChain } from "@guard/core";
import { expect, test } from "vitest";
import { installation, startProcess } from "./processes.fixture.ts";

test("an agent that is killed while it waits finds its open request and does not ask twice", {
  timeout: 30_000,
}, async () => {
  const at = await installation();
  const start = () => startProcess("agent.ts", at.connection, [at.directory, at.effects]);
  const first = start();
  const asked = await first.said();
  expect(asked).toMatchObject({ event: "pending", joined: false });
  await first.kill();

  const second = start();
  const joined = await second.said();
  expect(joined).toMatchObject({ event: "pending", joined: true, request: asked.request });
  const open = await at.device.list();
  expect(open).toHaveLength(1);
  await at.device.decide(await at.device.open(open[0] as (typeof open)[0]), { decision: "approve" });
  expect(await second.said()).toMatchObject({ event: "ran" });
  await second.ended;
  expect(JSON.parse(readFileSync(at.effects, "utf8"))).toEqual({ order: "A-1", amount: 900 });

  const third = start();
  expect(await third.said()).toMatchObject({ event: "refused", code: "already_executed" });
  await third.ended;
  expect(readFileSync(at.effects, "utf8").trim().split("\n")).toHaveLength(1);

  const file = join(at.directory, "evidence", "support.jsonl");
  const report = await verifyChain(readEvidence(file), { roster: at.owner.roster(), checkpoint: null });
  expect(report.problems).toEqual([]);
  expect(report.valid).toBe(true);
});
