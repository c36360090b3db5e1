// Real processes: a chat of the AI SDK is killed while it is suspended, and while its tools run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installation, startProcess } from "./processes.fixture.ts";

async function suspendedChat() {
  const at = await installation();
  const start = (role: string, speed = "fast") =>
    startProcess("chat.ts", at.connection, [role, at.directory, at.effects, speed]);
  const first = start("begin");
  expect(await first.said()).toEqual({ event: "suspended" });
  await first.kill();
  return {
    ...at,
    start,
    async answer(decision: "approve" | "reject", amount: number) {
      const open = await Promise.all((await at.device.list()).map((each) => at.device.open(each)));
      const request = open.find(({ args }) => (args as { amount: number }).amount === amount);
      if (!request) throw new Error(`nothing is asked about ${amount}`);
      await at.device.decide(request, { decision });
    },
    ran: () => readFileSync(at.effects, "utf8").trim().split("\n").map(Number).toSorted(),
    stored: () => readFileSync(join(at.directory, "ticket-7.json"), "utf8"),
  };
}

test("a chat that is killed while it is suspended goes on in another process, once both calls were answered", {
  timeout: 30_000,
}, async () => {
  const chat = await suspendedChat();
  const worker = chat.start("work");
  await chat.answer("reject", 2);
  await chat.answer("approve", 1);
  expect(await worker.said()).toEqual({ event: "running", amount: 1 });
  expect(await worker.said()).toEqual({ event: "finished" });
  await worker.kill();
  expect(chat.ran()).toEqual([1]);
  expect(chat.stored()).toContain('"refunded":1');
  expect(chat.stored()).toContain("alice@example.com rejected refund");
  expect(chat.stored()).toContain("I have seen to it.");
});

test("double-execution: a worker that is killed while a tool runs; the next one does not run it again, and says so", {
  timeout: 30_000,
}, async () => {
  const chat = await suspendedChat();
  await chat.answer("approve", 1);
  await chat.answer("approve", 2);
  const first = chat.start("work", "slow");
  expect(await first.said()).toMatchObject({ event: "running" });
  expect(await first.said()).toMatchObject({ event: "running" });
  await first.kill();
  const second = chat.start("work");
  expect(await second.said()).toEqual({ event: "finished" });
  await second.kill();
  expect(chat.ran()).toEqual([1, 2]);
  const told = chat.stored().match(/"execution-denied","reason":"[^"]*nobody knows how it ended/g);
  expect(told).toHaveLength(2);
});
