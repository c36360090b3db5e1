// Real processes: an agent and a workflow of Mastra are killed while they are suspended, and while their tools run.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { installation, startProcess } from "./processes.fixture.ts";

async function suspendedRun(what: "agent" | "workflow") {
  const at = await installation();
  const start = (role: string, speed = "fast") =>
    startProcess("mastra.ts", at.connection, [role, at.directory, at.effects, speed]);
  const first = start(what);
  expect(await first.said()).toEqual({ event: "suspended" });
  await first.kill();
  return {
    start,
    async answer(decision: "approve" | "reject", amount: number) {
      const open = await Promise.all((await at.device.list()).map((each) => at.device.open(each)));
      const request = open.find(({ args }) => (args as { amount: number }).amount === amount);
      if (!request) throw new Error(`nothing is asked about ${amount}`);
      await at.device.decide(request, { decision });
    },
    ran: () => readFileSync(at.effects, "utf8").trim().split("\n").map(Number).toSorted(),
  };
}

test("an agent that is killed while it is suspended goes on in another process, once both calls were answered", {
  timeout: 30_000,
}, async () => {
  const run = await suspendedRun("agent");
  const worker = run.start("work");
  await run.answer("reject", 2);
  await run.answer("approve", 1);
  expect(await worker.said()).toEqual({ event: "running", amount: 1 });
  const { event, text, results } = await worker.said();
  expect([event, text]).toEqual(["finished", "I have seen to it."]);
  expect(JSON.stringify(results)).toContain("alice@example.com rejected refund");
  await worker.kill();
  expect(run.ran()).toEqual([1]);
});

test("double-execution: an agent's worker that is killed while a tool runs; the next one does not run it again, and says so", {
  timeout: 30_000,
}, async () => {
  const run = await suspendedRun("agent");
  await run.answer("approve", 1);
  await run.answer("reject", 2);
  const first = run.start("work", "slow");
  expect(await first.said()).toEqual({ event: "running", amount: 1 });
  await first.kill();
  const second = run.start("work");
  const { event, results } = await second.said();
  expect(event).toBe("finished");
  expect(JSON.stringify(results)).toContain("nobody knows how it ended");
  await second.kill();
  expect(run.ran()).toEqual([1]);
});

test("a workflow that is killed while it is suspended goes on in another process, and its step runs once", {
  timeout: 30_000,
}, async () => {
  const run = await suspendedRun("workflow");
  await run.answer("approve", 3);
  const worker = run.start("work");
  expect(await worker.said()).toEqual({ event: "running", amount: 3 });
  expect(await worker.said()).toEqual({ event: "success", error: null });
  await worker.kill();
  expect(run.ran()).toEqual([3]);
});

test("double-execution: a workflow's worker that is killed while its step runs; the step then fails, and does not run again", {
  timeout: 30_000,
}, async () => {
  const run = await suspendedRun("workflow");
  await run.answer("approve", 3);
  const first = run.start("work", "slow");
  expect(await first.said()).toEqual({ event: "running", amount: 3 });
  await first.kill();
  const second = run.start("work");
  const { event, error } = await second.said();
  expect([event, String(error)]).toEqual(["failed", expect.stringContaining("nobody knows how it ended")]);
  await second.kill();
  expect(run.ran()).toEqual([3]);
});
