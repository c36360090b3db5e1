import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { testGuard } from "./index.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
async function kit() {
  const made = await testGuard();
  open.push(made);
  const schema = z.strictObject({ amount: z.number() });
  return {
    ...made,
    refund: made.guard.protect("refund", (args: { amount: number }) => args.amount, { schema }),
  };
}

test("answers what was expected, and done() is satisfied", async () => {
  const { approver, refund } = await kit();
  approver.expect("refund", { amount: 900 }).edit({ amount: 90 });
  approver.expect("refund").approve();
  approver.expect("refund").reject("enough for today");
  expect(await refund({ amount: 900 })).toBe(90);
  expect(await refund({ amount: 5 })).toBe(5);
  await expect(refund({ amount: 6 })).rejects.toMatchObject({ code: "rejected", reason: "enough for today" });
  approver.done();
});

test("rejects what nobody expected, and done() says so", async () => {
  const { approver, refund } = await kit();
  approver.expect("refund", { amount: 1 }).approve();
  await expect(refund({ amount: 2 })).rejects.toMatchObject({ code: "rejected" });
  expect(() => approver.done()).toThrow('nobody expected: refund {"amount":2}');
  expect(() => approver.done()).toThrow('never asked: refund {"amount":1}');
});

test("an expectation needs one answer", async () => {
  const { approver, refund } = await kit();
  const expectation = approver.expect("refund");
  await expect(refund({ amount: 2 })).rejects.toMatchObject({ code: "rejected" });
  expect(() => approver.done()).toThrow("was given no answer");
  expectation.ignore();
  expect(() => expectation.approve()).toThrow("two answers");
});

test("a held request is answered when the test wants; one that is ignored waits until its caller stops", async () => {
  const { approver, guard, refund } = await kit();
  const held = approver.expect("refund").hold();
  const running = refund({ amount: 3 });
  expect((await held.arrived).args).toEqual({ amount: 3 });
  await held.edit({ amount: 2 });
  expect(await running).toBe(2);
  const { arrived } = approver.expect("refund").ignore();
  const stop = new AbortController();
  const late = guard.run({ tool: "refund", args: {} }, () => "ran", { signal: stop.signal });
  await arrived;
  stop.abort();
  await expect(late).rejects.toMatchObject({ code: "wait_timeout" });
  approver.done();
});
