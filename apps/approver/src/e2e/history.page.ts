// What is over: all of it can be reached, page by page, and nothing of it can be answered.
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";

const { at } = worldOfThisFile();
const dora = "dora@example.com";
const perPage = 50;

test("history: more than a page of what ended is listed newest first, and none of it has a button", async () => {
  const { page } = await at.world.enrol(dora);
  const soon = await at.world.agent({ approvers: [dora], expiresIn: 2500 });
  const names = Array.from({ length: perPage + 5 }, (_, n) => `refund_${String(n).padStart(2, "0")}`);
  const asked = [];
  for (const name of names) asked.push(await soon.ask(name, { amount: 1 }));
  for (const { ended } of asked) expect(await ended).toMatchObject({ failed: { code: "expired" } });

  await page.goto(`${at.world.host.origin}/#/history`);
  const rows = page.getByRole("list", { name: "Requests that are over" }).getByRole("link");
  const listed = async () =>
    (await rows.allTextContents()).map((text) => /refund_\d\d/.exec(text)?.[0] ?? text);
  await expect.poll(() => rows.count()).toBe(perPage);
  const newest = names.toReversed();
  expect(await listed()).toEqual(newest.slice(0, perPage));
  await page.getByRole("button", { name: "Show older ones" }).click();
  await expect.poll(() => rows.count()).toBe(names.length);
  expect(await listed()).toEqual(newest);
  expect(await page.getByText("could not be verified").count()).toBe(0);

  // The oldest one, and by its address in a page that remembers nothing.
  await rows.last().click();
  for (const way of ["from the list", "by its address"]) {
    await page.getByRole("heading", { level: 1, name: "refund_00" }).waitFor();
    await page.getByText("It is expired.").first().waitFor();
    for (const name of [/approve/i, /reject/i, /edit/i, /show what you have not seen/i])
      expect(await page.getByRole("button", { name }).count(), way).toBe(0);
    await page.reload();
  }
});
