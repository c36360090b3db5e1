// The whole path: an agent asks, a person decides on the page, the agent verifies the answer by its roster and
// runs what was approved; afterwards the evidence is verified offline.
import { verifyChain } from "@guard/core";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { approve, approveButton, look, open, reject, review, startEdit, told } from "./person.fixture.ts";
import { type Agent, alice, bob } from "./world.fixture.ts";

const { at } = worldOfThisFile();

/** Everything that the agent wrote down holds for somebody who trusts neither it nor the relay. */
async function expectEvidence(agent: Agent, approved: number) {
  await agent.guard.close();
  const report = await verifyChain(agent.evidence.lines, { roster: await at.world.owner.sync() });
  expect(report.problems).toEqual([]);
  expect(report.valid).toBe(true);
  expect(report.calls.approved).toBe(approved);
}

const refund = { order: "A-1001", amount: 900 };
const refundSchema = {
  name: "refund",
  description: "Pays money back",
  inputSchema: {
    type: "object",
    properties: {
      order: { type: "string" },
      amount: { type: "number", minimum: 1, maximum: 1000 },
      notify: { type: "boolean" },
    },
    required: ["order", "amount"],
    additionalProperties: false,
  },
};
const validate = async (args: unknown) => args;

test("enrolment: a link makes a device with a key of its own, and both sides show one fingerprint", async () => {
  const person = await at.world.enrol(alice);
  expect(person.fingerprint.onPage).toBe(person.fingerprint.atOwner);
  const record = at.world.owner.roster().device(person.device);
  expect(record?.origin).toBe(at.world.host.origin);
  expect(record?.key.kind).toBe("ed25519");
  expect(person.page.url()).not.toContain("guard-invite");
});

test("a request appears on the open page, is approved there, and runs; the evidence holds", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund", refund);
  await open(page, "refund");
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: refund });
  await told(page, /approved/i);
  await expectEvidence(agent, 1);
});

test("a passkey signs, with the person verified; the agent verifies it offline", async () => {
  const person = await at.world.enrol(bob, { passkey: true });
  const record = at.world.owner.roster().device(person.device);
  expect(record?.key).toMatchObject({
    kind: "webauthn",
    rpId: "localhost",
    origins: [at.world.host.origin],
  });
  const agent = await at.world.agent({ approvers: [bob] });
  const asked = await agent.ask("delete_account", { account: "a-7" }, { facts: { risk: "critical" } });
  await open(person.page, "delete_account");
  await look(person.page);
  expect(await approveButton(person.page).innerText()).toMatch(/hold/i);
  await approve(person.page);
  expect(await asked.ended).toEqual({ ran: { account: "a-7" } });
  await expectEvidence(agent, 1);
});

test("reject: the reason reaches the agent as it was written", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_twice", refund);
  await open(page, "refund_twice");
  const reason = "Ask the customer first.\nThen ask me — „again“.";
  await reject(page, reason);
  expect(await asked.ended).toMatchObject({ failed: { code: "rejected", reason } });
});

test("edit: a form made from the schema, a diff, and the edited arguments run", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_edit", refund, {
    schema: { ...refundSchema, name: "refund_edit" },
    validate,
  });
  await open(page, "refund_edit");
  await look(page);
  await startEdit(page);
  await page.getByRole("textbox", { name: /amount/ }).fill("90");
  await review(page);
  await told(page, /900[\s\S]*90/);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: { ...refund, amount: 90 } });
  await expectEvidence(agent, 1);
});

test("edit: what the schema refuses cannot be sent", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_wrong", refund, {
    schema: { ...refundSchema, name: "refund_wrong" },
    validate,
  });
  await open(page, "refund_wrong");
  await look(page);
  await startEdit(page);
  await page.getByRole("textbox", { name: /amount/ }).fill("5000");
  await page.getByRole("button", { name: "Show what changes" }).click();
  expect(await approveButton(page).count()).toBe(0);
  await told(page, /1000/);
  expect((await asked.view()).state).toBe("pending");
});

test("edit: without a schema the arguments are edited as JSON", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_json", refund, { validate });
  await open(page, "refund_json");
  await look(page);
  await startEdit(page);
  await page
    .getByRole("textbox")
    .first()
    .fill(JSON.stringify({ ...refund, amount: 10 }));
  await review(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: { ...refund, amount: 10 } });
});

test("two people: the first approval is counted, the second lets it run", async () => {
  const first = await at.world.home(alice);
  const second = await at.world.enrol(bob);
  const rule = { tool: "*", then: "ask" as const, quorum: 2, approvers: [alice, bob] };
  const agent = await at.world.agent({ policy: [rule] });
  const asked = await agent.ask("pay_out", refund);
  for (const { page } of [first, second]) {
    await open(page, "pay_out");
    await look(page);
    await approve(page);
  }
  expect(await asked.ended).toEqual({ ran: refund });
  await expectEvidence(agent, 1);
});
