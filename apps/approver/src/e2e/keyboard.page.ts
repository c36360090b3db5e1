// Deciding by keyboard alone: no pointer is used in this file.
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { canApprove, row, taken } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const lines = Array.from({ length: 40 }, (_, n) => ({ order: `A-${n}`, amount: n }));
/** Longer than what has just come up has to be on screen. */
const moment = 650;
const holdTime = 1200;

/** What has the focus says this; nothing does while the body has it. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const { activeElement, body } = document;
    return activeElement === body ? "" : ((activeElement as HTMLElement | null)?.innerText.trim() ?? "");
  });

/** Tabs on until what is focused says so. */
async function tabTo(page: Page, text: RegExp) {
  for (let presses = 0; presses < 60 && !text.test(await focused(page)); presses++)
    await page.keyboard.press("Tab");
  expect(await focused(page)).toMatch(text);
}

/** Reads on, a screen at a time, as somebody does who came to the request by Enter. */
async function readThrough(page: Page) {
  for (let screens = 0; screens < 60 && !(await canApprove(page)); screens++) {
    await page.keyboard.press("PageDown");
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20))));
  }
  expect(await canApprove(page)).toBe(true);
}

test("keyboard: to the row by Tab, Enter opens it, reading to its end, and Enter approves", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_by_key", { lines });
  await row(page, "refund_by_key").waitFor();
  await tabTo(page, /refund_by_key/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: /refund_by_key/ }).waitFor();
  expect(await focused(page), "the screen reader begins with what is asked").toMatch(/wants to run/);
  expect(await canApprove(page)).toBe(false);
  await page.waitForTimeout(moment);
  await readThrough(page);
  await tabTo(page, /^Approve$/);
  await page.keyboard.press("Enter");
  await taken(page);
  expect(await asked.ended).toEqual({ ran: { lines } });
});

test("keyboard: to the row by an arrow; a reason is written and sent, and a key held down since before sends nothing", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_refused", { amount: 1 });
  await row(page, "refund_refused").waitFor();
  for (let presses = 0; presses < 60 && !/refund_refused/.test(await focused(page)); presses++)
    await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toMatch(/refund_refused/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: /refund_refused/ }).waitFor();
  await page.waitForTimeout(moment);
  await tabTo(page, /^Reject…$/);
  await page.keyboard.down("Enter");
  await page.keyboard.down("Enter");
  await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  await page.getByRole("textbox", { name: /Why\?/ }).waitFor();
  expect((await asked.view()).state).toBe("pending");
  await page.keyboard.type("Too much.");
  await page.waitForTimeout(moment);
  await tabTo(page, /^Reject$/);
  await page.keyboard.press("Space");
  await taken(page);
  expect(await asked.ended).toMatchObject({ failed: { code: "rejected", reason: "Too much." } });
});

test("keyboard: a critical request takes a held key; letting go, another key or Escape decides nothing", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("delete_by_key", { account: "a-7" }, { facts: { risk: "critical" } });
  const posts: string[] = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));
  await row(page, "delete_by_key").waitFor();
  const openIt = async () => {
    await tabTo(page, /delete_by_key/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: /delete_by_key/ }).waitFor();
    await page.waitForTimeout(moment);
    await readThrough(page);
    await tabTo(page, /^Approve: hold$/);
  };
  await openIt();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  await page.keyboard.down("Space");
  await page.waitForTimeout(holdTime / 2);
  await page.keyboard.down("Shift");
  await page.waitForTimeout(holdTime);
  await page.keyboard.up("Shift");
  await page.keyboard.up("Space");
  await page.keyboard.down("Space");
  await page.keyboard.press("Escape");
  await page.keyboard.up("Space");
  await row(page, "delete_by_key").waitFor();
  await page.waitForTimeout(holdTime);
  expect(posts).toEqual([]);
  expect((await asked.view()).state).toBe("pending");

  await openIt();
  await page.keyboard.down("Space");
  await expect.poll(() => focused(page)).toBe("Keep holding");
  await taken(page);
  await page.keyboard.up("Space");
  expect(await asked.ended).toEqual({ ran: { account: "a-7" } });
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: /waiting|Nothing waits/ }).waitFor();
});
