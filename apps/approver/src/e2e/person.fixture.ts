/** What a person does with the page, by the words that stand on it. */
import type { Locator, Page } from "playwright";
import { expect } from "vitest";

/** The page ignores presses on what has only just come up (stale-decision): a person looks first. */
const moment = 650;
/** Longer than a held press takes. */
const held = 1300;

/** Names the device and has its keys made. Returns the fingerprint that the page shows. */
export async function startEnrolment(page: Page, options: { passkey?: boolean } = {}): Promise<string> {
  await page.getByRole("textbox", { name: "Name of this device" }).fill("Test phone");
  if (options.passkey) await page.getByRole("checkbox", { name: /Sign with a passkey/ }).check();
  await page.getByRole("button", { name: "Enrol this device" }).click();
  const digits = page.getByText(/^\d{4} \d{4} \d{4}$/);
  return digits.innerText();
}

export async function endEnrolment(page: Page): Promise<void> {
  await page.getByRole("heading", { name: /waiting|Nothing waits/ }).waitFor();
}

/** The line of a request in the inbox. */
export function row(page: Page, tool: string | RegExp): Locator {
  return page.getByRole("listitem").getByRole("link").filter({ hasText: tool });
}

/** Opens the request for `tool`, once it is there. */
export async function open(page: Page, tool: string): Promise<void> {
  // Of two tabs, the one that somebody looks at: the other draws nothing.
  await page.bringToFront();
  await row(page, tool).first().click();
  await page.getByRole("heading", { level: 1, name: tool }).waitFor();
  await page.waitForTimeout(moment);
}

const mainOf = (page: Page) => page.getByRole("main");
const unseen = (page: Page) => page.getByRole("button", { name: /Show what you have not seen yet/ });

/** Looks at everything that was not in view yet. */
export async function look(page: Page): Promise<void> {
  await page.bringToFront();
  for (let screens = 0; screens < 60 && !(await canApprove(page)); screens++) {
    if (await unseen(page).isVisible())
      await unseen(page)
        .click({ timeout: 1000 })
        .catch(() => undefined);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20))));
  }
  expect(await canApprove(page), await mainOf(page).innerText()).toBe(true);
}

export function approveButton(page: Page): Locator {
  return page.getByRole("button", { name: /approve/i });
}

export async function canApprove(page: Page): Promise<boolean> {
  const button = approveButton(page);
  return (await button.count()) === 1 && (await button.isEnabled());
}

/** Presses, or holds where the page asks for that. */
export async function pressApprove(page: Page): Promise<void> {
  const button = approveButton(page);
  if (!/hold/i.test(await button.innerText())) return button.click();
  await button.hover();
  await page.mouse.down();
  await page.waitForTimeout(held);
  await page.mouse.up();
}

export async function approve(page: Page): Promise<void> {
  await pressApprove(page);
  await taken(page);
}

export async function taken(page: Page): Promise<void> {
  await page.getByText("Your answer was taken.").waitFor();
}

export async function startReject(page: Page, reason: string): Promise<void> {
  await page.getByRole("button", { name: /^Reject ?…$/ }).click();
  await page.getByRole("textbox", { name: /Why\?/ }).fill(reason);
  await page.waitForTimeout(moment);
}

export async function pressReject(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Reject", exact: true }).click();
}

export async function reject(page: Page, reason: string): Promise<void> {
  await startReject(page, reason);
  await pressReject(page);
  await taken(page);
}

export async function startEdit(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^Edit ?…$/ }).click();
  await page.waitForTimeout(moment);
}

/** Shows what the edit changes; only then it can be approved. */
export async function review(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Show what changes" }).click();
  await page.waitForTimeout(moment);
}

/** Waits until the page says something like it. */
export async function told(page: Page, what: RegExp): Promise<void> {
  await expect.poll(() => mainOf(page).innerText(), { timeout: 10_000 }).toMatch(what);
}

/** … anywhere: also in its head, where the connection is told. */
export async function toldAnywhere(page: Page, what: RegExp): Promise<void> {
  await expect.poll(() => page.locator("body").innerText(), { timeout: 10_000 }).toMatch(what);
}
