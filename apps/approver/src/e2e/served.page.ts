// A page that its relay serves is as trusted as that relay, and says so; one from elsewhere is not, and does not
// (relay-served-page).
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { approve, look, open } from "./person.fixture.ts";
import { alice, bob } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const banner = (page: Page) =>
  page.getByText("This page comes from your relay and is as trusted as that relay.");
const views = ["#/", "#/history", "#/devices", "#/enrol"];

test("relay-served-page: a page from the relay says on every view that it is as trusted as that relay", async () => {
  const { page } = await at.world.enrol(alice, { invited: { origin: at.world.relayUrl } });
  expect(new URL(page.url()).origin).toBe(at.world.relayUrl);
  for (const view of views) {
    await page.goto(`${at.world.relayUrl}/${view}`);
    await banner(page).waitFor();
  }
  await page.goto(`${at.world.relayUrl}/#/`);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_served", { amount: 1 });
  await open(page, "refund_served");
  expect(await banner(page).isVisible()).toBe(true);
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: { amount: 1 } });
});

test("relay-served-page: a page from another origin does not say so", async () => {
  const { page } = await at.world.enrol(bob);
  expect(new URL(page.url()).origin).not.toBe(at.world.relayUrl);
  const agent = await at.world.agent({ approvers: [bob] });
  await agent.ask("refund_hosted", { amount: 1 });
  for (const view of views) {
    await page.goto(`${at.world.host.origin}/${view}`);
    await page.getByRole("main").getByRole("heading").first().waitFor();
    expect(await banner(page).count(), view).toBe(0);
  }
  await page.goto(`${at.world.host.origin}/#/`);
  await open(page, "refund_hosted");
  expect(await banner(page).count()).toBe(0);
});
