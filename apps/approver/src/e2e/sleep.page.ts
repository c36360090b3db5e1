// A machine or a phone that sleeps: the page's process stands still, and its connections die without a word.
import type { Browser, Page } from "playwright";
import { expect, onTestFinished, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { networkTo } from "./network.fixture.ts";
import { approve, look, open, row } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const refund = { order: "A-1001", amount: 900 };

/**
 * Stops every process in which this browser runs pages, as a system that suspends does. The browser's own way of
 * freezing a page leaves visible ones alone, and Playwright keeps all of them visible. Returns what wakes them.
 */
async function freeze(browser: Browser): Promise<() => void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  for (const id of renderers) process.kill(id, "SIGSTOP");
  return () => {
    for (const id of renderers) process.kill(id, "SIGCONT");
  };
}

/** Counts in the page; the page stands still as long as this does. */
async function startCounting(page: Page) {
  await page.evaluate(() => {
    const counted = window as unknown as { ticks: number[] };
    counted.ticks = [performance.now()];
    setInterval(() => counted.ticks.push(performance.now()), 20);
  });
  /** The longest time in milliseconds in which it did not count. */
  return () =>
    page.evaluate(() => {
      const { ticks } = window as unknown as { ticks: number[] };
      return Math.max(...ticks.slice(1).map((tick, i) => tick - (ticks[i] as number)));
    });
}

/** What a browser tells a page that comes back on screen. */
const comesBack = (page: Page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
const slept = 1500;

test("sleep: what came while the page stood still is there when it goes on, without a reload", async () => {
  const { page } = await at.world.home(alice);
  await page.getByText("Live", { exact: true }).waitFor();
  const agent = await at.world.agent();
  const stoodStill = await startCounting(page);
  const wake = await freeze(at.browser);
  onTestFinished(wake);
  const asked = await agent.ask("refund_asleep", refund);
  // The relay ends streams as one that was restarted meanwhile.
  at.world.relay.release();
  await new Promise((resolve) => setTimeout(resolve, slept));
  wake();
  await open(page, "refund_asleep");
  await expect.poll(stoodStill).toBeGreaterThan(slept - 100);
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: refund });
});

test("sleep: connections that died without a word are made anew when the page comes back, at once", async () => {
  const network = await networkTo(at.world.relayUrl);
  onTestFinished(() => network.close());
  const { page } = await at.world.enrol(alice, { invited: { relay: network.url } });
  await page.getByText("Live", { exact: true }).waitFor();
  const agent = await at.world.agent();
  const stoodStill = await startCounting(page);
  const wake = await freeze(at.browser);
  onTestFinished(wake);
  network.hang();
  const asked = await agent.ask("refund_dead", refund);
  await new Promise((resolve) => setTimeout(resolve, slept));
  network.pass();
  wake();
  // It goes on, and knows of nothing: the old connections are dead and say nothing.
  await expect.poll(stoodStill).toBeGreaterThan(slept - 100);
  expect(await row(page, "refund_dead").count()).toBe(0);
  const before = network.connections;
  await comesBack(page);
  await open(page, "refund_dead");
  expect(network.connections).toBeGreaterThan(before);
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: refund });
});
