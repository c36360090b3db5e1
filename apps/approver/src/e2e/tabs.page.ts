// Two tabs of one device, which share its keys and know of each other only what the browser and the relay tell them.
import type { BrowserContext, Route } from "playwright";
import { expect, onTestFinished, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { look, open, pressApprove, pressReject, startReject, told } from "./person.fixture.ts";
import { alice, bob } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const refund = { order: "A-1001", amount: 900 };
const statements = /\/v1\/requests\/[^/]+\/statements$/;

/** Both tabs of alice, and what they posted as answers: when it left a tab, and what the relay said. */
async function twoTabs() {
  const { page, context } = await at.world.home(alice);
  const other = await context.newPage();
  await other.goto(`${at.world.host.origin}/#/`);
  const posted: string[] = [];
  const taken: number[] = [];
  for (const tab of [page, other]) {
    tab.on("request", (request) => {
      if (request.method() === "POST" && statements.test(request.url()))
        posted.push(request.postData() ?? "");
    });
    tab.on("response", (response) => {
      if (response.request().method() === "POST" && statements.test(response.url()))
        taken.push(response.status());
    });
  }
  onTestFinished(async () => {
    await context.unrouteAll({ behavior: "ignoreErrors" });
    await other.close();
  });
  return { page, other, context, posted, taken };
}

/** Keeps every answer on its way until the returned function is called. */
async function holdAnswers(context: BrowserContext): Promise<() => Promise<void>> {
  const held: Route[] = [];
  let holding = true;
  await context.route(statements, (route) => (holding ? void held.push(route) : route.continue()));
  return async () => {
    holding = false;
    for (const route of held) await route.continue();
  };
}

test("two tabs: while one's answer is on its way, the other's waits, and then there is nothing left to answer", async () => {
  const { page, other, context, posted, taken } = await twoTabs();
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_both", refund);
  for (const tab of [page, other]) {
    await open(tab, "refund_both");
    await look(tab);
  }
  const release = await holdAnswers(context);
  await pressApprove(page);
  await pressApprove(other);
  for (const tab of [page, other]) await told(tab, /Sending your answer/);
  // Whatever the other one would do by itself it has done by now: two rounds through its process.
  await other.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
  expect(posted).toHaveLength(1);
  expect((await asked.view()).answers).toHaveLength(0);
  await release();
  await told(page, /Your answer was taken/);
  await told(other, /approved|answered/i);
  expect(await asked.ended).toEqual({ ran: refund });
  expect(taken.filter((status) => status < 300)).toHaveLength(1);
  expect((await asked.view()).answers).toHaveLength(1);
});

test("two tabs: one person's two answers at the same time are one, where others have to answer as well", async () => {
  const { page, other, context, taken } = await twoTabs();
  await at.world.home(bob);
  const rule = { tool: "*", then: "ask" as const, quorum: 2, approvers: [alice, bob] };
  const agent = await at.world.agent({ policy: [rule] });
  const asked = await agent.ask("pay_both", refund);
  for (const tab of [page, other]) {
    await open(tab, "pay_both");
    await look(tab);
  }
  const release = await holdAnswers(context);
  await startReject(other, "not today");
  await pressApprove(page);
  await told(page, /Sending your answer/);
  await pressReject(other);
  await told(other, /Sending your answer/);
  await release();
  await told(page, /Your answer was taken/);
  await told(other, /answered already|approved/);
  await expect.poll(() => other.getByText("Sending your answer").count()).toBe(0);
  expect((await asked.view()).answers).toHaveLength(1);
  expect((await asked.view()).state).toBe("pending");
  expect(taken.filter((status) => status < 300)).toHaveLength(1);
});
