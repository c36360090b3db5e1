/**
 * The page on which a person decides, as it is built, in Chromium: on an origin of its own, with the relay and the
 * agent in one other process. Times in the page are taken by the page's clock, which is this machine's.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readPage } from "@guard/approver";
import { enrolOwn, memoryDeviceStore } from "@guard/device";
import type { Browser, Page } from "playwright";
import { rolldown } from "rolldown";
import { approve, look, open, row } from "../../../apps/approver/src/e2e/person.fixture.ts";
import { alice, startWorld, type World } from "../../../apps/approver/src/e2e/world.fixture.ts";
import { launch } from "../../../tools/runtimes/chromium.ts";
import { oneKiB } from "../asking.ts";
import { median, percentile, print } from "../figure.ts";

const requests = 100;
const decisions = 30;
const listed = 500;

/** Bytes of everything that is fetched before a request can be answered, gzipped one by one as a server sends them. */
async function firstLoad(): Promise<void> {
  const { files } = await readPage();
  const sizes = [...files].map(([path, { body }]) => ({ path, bytes: gzipSync(body, { level: 9 }).length }));
  // Icons are fetched when the page is installed, later.js and later.css once it stands.
  const loaded = sizes.filter(({ path }) => !/\.(png|webmanifest)$|later\.(js|css)$/.test(path));
  print({
    name: "the page's first load, gzipped, with the fallback KEM",
    value: loaded.reduce((sum, { bytes }) => sum + bytes, 0) / 1000,
    unit: "kB",
    goal: 90,
    better: "lower",
    detail: Object.fromEntries(sizes.map(({ path, bytes }) => [`${path}, kB`, bytes / 1000])),
  });
}

function printSlowest(name: string, times: readonly number[], goal: number): void {
  const detail = { "p50, ms": Math.round(percentile(times, 0.5)), measured: times.length };
  print({ name, value: percentile(times, 0.95), unit: "ms", goal, better: "lower", detail });
}

/** From the relay's answer to the agent until the row is in the page and could be painted. */
async function toVisible(world: World, page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(window, { seen });
    new MutationObserver(() => {
      for (const [name] of (document.querySelector("main")?.textContent ?? "").matchAll(/visible_\d+_/g)) {
        if (name in seen) continue;
        seen[name] = 0;
        requestAnimationFrame(() => {
          seen[name] = performance.timeOrigin + performance.now();
        });
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  const agent = await world.agent();
  const times: number[] = [];
  for (let n = -5; n < requests; n++) {
    const tool = `visible_${n + 5}_`;
    const asked = await agent.ask(tool, oneKiB(n + 5));
    await row(page, tool).waitFor();
    const at = await page.evaluate((name) => {
      const { seen } = window as unknown as { seen: Record<string, number> };
      return new Promise<number>((resolve) => {
        const look = () => (seen[name] ? resolve(seen[name]) : requestAnimationFrame(look));
        look();
      });
    }, tool);
    if (n >= 0) times.push(at - asked.at);
  }
  printSlowest("request at the relay to visible on the page, p95", times, 150);
}

/** From the press to the relay's answer, in the page: signing, sealing, the relay's commit and the way there and back. */
async function toAccepted(world: World, page: Page): Promise<void> {
  const agent = await world.agent();
  const times: number[] = [];
  await page.evaluate(() => {
    addEventListener("click", (event) => Object.assign(window, { pressed: event.timeStamp }), true);
  });
  for (let n = 0; n < decisions; n++) {
    const asked = await agent.ask(`decide_${n}`, { amount: n });
    await page.evaluate(() => {
      location.hash = "#/";
    });
    await open(page, `decide_${n}`);
    await look(page);
    await approve(page);
    await asked.ended;
    times.push(
      await page.evaluate(() => {
        const posts = performance
          .getEntriesByType("resource")
          .filter(({ name }) => name.endsWith("/statements")) as PerformanceResourceTiming[];
        const { pressed } = window as unknown as { pressed: number };
        const took = (posts.at(-1)?.responseEnd ?? Number.NaN) - pressed;
        performance.clearResourceTimings();
        return took;
      }),
    );
  }
  printSlowest("click to statement accepted, software key, p95", times, 100);
}

/** Device code as a bundle in a page of its own: what opening and verifying one request takes there. */
async function toOpened(world: World, browser: Browser): Promise<void> {
  const store = memoryDeviceStore();
  const identity = "dora@example.com";
  const profile = await enrolOwn(world.owner, { identity, name: "figure", store });
  const agent = await world.agent({ approvers: [identity] });
  const asked = await agent.ask("open", oneKiB());
  const directory = mkdtempSync(join(import.meta.dirname, "bundle-"));
  let code = "";
  try {
    const input = join(directory, "entry.ts");
    writeFileSync(
      input,
      `import { memoryDeviceStore, openDevice } from "@guard/device";
       globalThis.guard = { memoryDeviceStore, openDevice };`,
    );
    const bundle = await rolldown({
      input,
      platform: "browser",
      resolve: { conditionNames: ["@guard/source", "browser", "import", "default"] },
    });
    const { output } = await bundle.generate({ format: "iife", minify: true, codeSplitting: false });
    await bundle.close();
    code = output[0].code;
  } finally {
    rmSync(directory, { recursive: true });
  }
  // On the page's origin, which the relay lets in; nothing of the page runs there.
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.goto(`${world.host.origin}/icon-192.png`);
  await page.evaluate(code);
  const times = await page.evaluate(
    async ({ profile, request, runs }) => {
      type Kit = Pick<typeof import("@guard/device"), "memoryDeviceStore" | "openDevice">;
      const { guard } = globalThis as unknown as { guard: Kit };
      const device = await guard.openDevice({ profile, store: guard.memoryDeviceStore() });
      const view = await device.get(request);
      const taken: number[] = [];
      for (let n = 0; n < runs; n++) {
        const start = performance.now();
        await device.open(view);
        taken.push(performance.now() - start);
      }
      return taken.slice(20);
    },
    { profile, request: asked.request, runs: 220 },
  );
  await page.context().close();
  print({
    name: "open and verify a request of 1 KiB in Chromium, p50",
    value: median(times),
    unit: "ms",
    goal: 20,
    better: "lower",
    detail: { "p95, ms": Number(percentile(times, 0.95).toFixed(2)) },
  });
}

/** 500 requests listed: frames while the person scrolls through them, and what moves when more arrive. */
async function manyListed(world: World): Promise<void> {
  const identity = "eve@example.com";
  const { page } = await world.enrol(identity);
  const agent = await world.agent({ approvers: [identity] });
  await Promise.all(
    Array.from({ length: listed }, (_, n) =>
      agent.ask(`listed_${n}_`, oneKiB(n), { facts: { risk: "low" } }),
    ),
  );
  await page.reload();
  await row(page, /listed_/)
    .nth(listed - 1)
    .waitFor({ state: "attached", timeout: 30_000 });
  // What was read after the first of them stands below, until it is sorted in.
  const fresh = page.getByRole("button", { name: /\d+ new/ });
  if (await fresh.isVisible()) await fresh.click();
  const { shift, rates } = await page.evaluate(async () => {
    let shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) shift += entry.value;
    }).observe({ type: "layout-shift" });
    const rates: number[] = [];
    for (let span = 0; span < 5; span++) {
      window.scrollTo(0, 0);
      const start = performance.now();
      let frames = 0;
      while (performance.now() - start < 3000) {
        await new Promise(requestAnimationFrame);
        window.scrollBy(0, 40);
        frames++;
      }
      rates.push((frames * 1000) / (performance.now() - start));
    }
    return { shift, rates };
  });
  print({
    name: `frames a second while ${listed} requests are listed and scrolled`,
    value: median(rates),
    unit: "/s",
    // The screen's rate is 60; a frame may fall on either side of a span's end.
    goal: 59,
    better: "higher",
    detail: { "slowest of five spans": Number(Math.min(...rates).toFixed(1)) },
  });
  await page.evaluate(() => {
    window.scrollTo(0, 0);
    Object.assign(window, { moved: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[])
        Object.assign(window, { moved: (window as unknown as { moved: number }).moved + entry.value });
    }).observe({ type: "layout-shift" });
  });
  const first = await row(page, /listed_/)
    .first()
    .boundingBox();
  if (first) await page.mouse.move(first.x + 20, first.y + 10);
  for (let n = 0; n < 10; n++) await agent.ask(`more_${n}_`, oneKiB(n), { facts: { risk: "critical" } });
  await page
    .getByText(/10 new/)
    .first()
    .waitFor();
  const moved = await page.evaluate(() => (window as unknown as { moved: number }).moved);
  print({
    name: "layout shift while requests are scrolled, and while ten arrive under the pointer",
    value: shift + moved,
    unit: "",
    goal: 0,
    better: "lower",
  });
}

const browser = await launch();
const world = await startWorld(browser);
await firstLoad();
await toOpened(world, browser);
const { page } = await world.enrol(alice);
await toVisible(world, page);
await toAccepted(world, page);
await manyListed(world);
await world.close();
await browser.close();
