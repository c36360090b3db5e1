// Invitations that come to nothing, and what is left of them.
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { row, startEnrolment, told, toldAnywhere } from "./person.fixture.ts";
import { alice, bob } from "./world.fixture.ts";

const { at } = worldOfThisFile();

test("a link that was used enrols nobody again, and leaves the device that used it as it is", async () => {
  const { page } = await at.world.visit();
  const invited = await at.world.invite(alice);
  await page.goto(invited.link);
  await startEnrolment(page);
  await (await invited.device()).confirm();
  await told(page, /Nothing waits/);

  await page.goto(invited.link);
  await told(page, /has a device in this browser already/);
  await page.getByRole("button", { name: "Enrol this device" }).click();
  await told(page, /This invitation was used/);
  expect(await page.getByRole("button", { name: "Enrol this device" }).count()).toBe(0);
  await page.goto(`${at.world.host.origin}/#/`);
  await page.reload();
  await toldAnywhere(page, /Live/);
  const agent = await at.world.agent();
  await agent.ask("refund_again", { amount: 1 });
  await row(page, "refund_again").waitFor();

  // Nor does it leave keys that wait for nobody on another device.
  const other = await at.world.visit();
  await other.page.goto(invited.link);
  await other.page.getByRole("button", { name: "Enrol this device" }).click();
  await told(other.page, /This invitation was used/);
  await other.page.reload();
  await told(other.page, /Decide on this device/);
  expect(await other.page.locator("main").innerText()).not.toMatch(/waits for the owner/);
});

test("an enrolment that is stopped gives the device back that was here before", async () => {
  const { page } = await at.world.enrol(bob);
  const again = await at.world.invite(bob);
  await page.goto(again.link);
  await startEnrolment(page);
  await page.getByRole("button", { name: "The digits differ: stop" }).click();
  await page.getByRole("link", { name: "Inbox" }).click();
  await toldAnywhere(page, /Live/);
  const agent = await at.world.agent({ approvers: [bob] });
  await agent.ask("refund_stopped", { amount: 1 });
  await row(page, "refund_stopped").waitFor();
});
