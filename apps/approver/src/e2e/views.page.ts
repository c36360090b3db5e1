// Every view in every state: nothing serious for axe, nothing wider than a phone, no shift of what is on screen.
// Leaves a screenshot of each in `screenshots/`, for people to look at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import {
  endEnrolment,
  look,
  open,
  pressReject,
  reject,
  review,
  row,
  startEdit,
  startEnrolment,
  startReject,
  taken,
  told,
} from "./person.fixture.ts";
import { alice, bob } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const pictures = join(import.meta.dirname, "..", "..", "screenshots");
mkdirSync(pictures, { recursive: true });
const sizes = { phone: { width: 360, height: 740 }, desk: { width: 1200, height: 800 } };

/** Looks at what is shown now, at both sizes and in both colour schemes. */
async function inspect(page: Page, name: string) {
  const wrong: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      await page.screenshot({ path: join(pictures, `${name}-${size}-${colorScheme}.png`) });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wider > 0) wrong.push(`${size}: ${wider} px wider than the screen`);
    }
    await page.setViewportSize(sizes.phone);
    // As the debugger's own expression: the page's policy would refuse a script from elsewhere, and should.
    await page.evaluate(axe.source);
    const found = await page.evaluate(async () => {
      const { axe: here } = window as unknown as { axe: typeof axe };
      return (await here.run(document, { resultTypes: ["violations"] })).violations;
    });
    for (const { id, impact, nodes } of found) {
      if (impact === "serious" || impact === "critical")
        wrong.push(`${colorScheme}: ${id}: ${nodes.map((node) => node.html).join(" | ")}`);
    }
  }
  expect(wrong, name).toEqual([]);
}

const order = {
  id: "A-1001",
  customer: { name: "Ada Moreau", vip: false },
  lines: [{ sku: "SKU-1", quantity: 2 }],
};
const schema = {
  name: "pay_back",
  description: "Pays money back",
  inputSchema: {
    type: "object",
    properties: {
      order: { type: "object", properties: { id: { type: "string" } } },
      amount: { type: "number" },
      currency: { enum: ["EUR", "CHF"] },
      notify: { type: "boolean" },
    },
    required: ["order", "amount"],
  },
};
const facts = {
  risk: "high" as const,
  title: "Refund an order",
  summary: "The customer got the wrong size and sent it back.",
};
const validate = async (args: unknown) => args;

test("enrolment: before an invitation, with one, and while it waits", async () => {
  const { page } = await at.world.visit();
  await page.goto(at.world.host.origin);
  await page.getByRole("textbox").first().waitFor();
  await inspect(page, "enrol-empty");
  const invited = await at.world.invite(bob);
  await page.goto("about:blank");
  await page.goto(invited.link);
  await page.getByText(bob).first().waitFor();
  await inspect(page, "enrol-invited");
  const fingerprint = await startEnrolment(page);
  await inspect(page, "enrol-waiting");
  const waiting = await invited.device();
  expect(fingerprint).toBe(waiting.fingerprint);
  await waiting.confirm();
  await endEnrolment(page);
});

test("inbox: empty, with requests, and its history", async () => {
  const { page } = await at.world.home(alice);
  await inspect(page, "inbox-empty");
  const agent = await at.world.agent();
  await agent.ask("look_up", { id: 1 }, { facts: { risk: "low" } });
  await agent.ask("delete_everything", order, { facts: { ...facts, risk: "critical" } });
  const soon = await at.world.agent({ expiresIn: "1m" });
  await soon.ask("refund_soon", order, { facts });
  await row(page, "refund_soon").waitFor();
  await inspect(page, "inbox");
  const asked = await agent.ask("refund_closed", order);
  await open(page, "refund_closed");
  await reject(page, "Not this one.");
  await asked.ended;
  await page.goto(`${at.world.host.origin}/#/history`);
  await page.getByText("refund_closed").first().waitFor();
  await inspect(page, "history");
});

test("detail: before it was seen, seen, editing, rejecting, decided", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const args = { order, amount: 900, currency: "EUR", notify: true };
  const asked = await agent.ask("pay_back", args, { facts, schema, validate });
  await open(page, "pay_back");
  await inspect(page, "detail");
  await look(page);
  await inspect(page, "detail-seen");
  await startEdit(page);
  await inspect(page, "detail-editing");
  await page
    .getByRole("spinbutton", { name: /amount/ })
    .or(page.getByRole("textbox", { name: /amount/ }))
    .fill("90");
  await review(page);
  await inspect(page, "detail-diff");
  await page.goto(`${at.world.host.origin}/#/`);
  await open(page, "pay_back");
  await startReject(page, "Too much.");
  await inspect(page, "detail-rejecting");
  await pressReject(page);
  await taken(page);
  await asked.ended;
  await told(page, /rejected/i);
  await inspect(page, "detail-decided");
});

test("detail: warnings of what is hidden and of what nobody can read", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const script = Buffer.from(Array.from({ length: 6000 }, (_, n) => (n * 7919) % 256)).toString("base64");
  await agent.ask(
    "pay",
    { to: "p\u0430ypal.com\u202e\u200b", script },
    { facts: { ...facts, risk: "critical" } },
  );
  await open(page, "pay");
  await inspect(page, "detail-warnings");
});

test("devices: one that is enrolled, and without the network", async () => {
  const { page, context } = await at.world.home(alice);
  await page.goto(`${at.world.host.origin}/#/devices`);
  await page.getByText(alice).first().waitFor();
  await inspect(page, "devices");
  await page.goto(`${at.world.host.origin}/#/`);
  await context.setOffline(true);
  await page
    .getByText(/offline|away|connection|reach/i)
    .first()
    .waitFor();
  await inspect(page, "inbox-offline");
  await context.setOffline(false);
});

test("keyboard: a request is opened and left without a pointer, and nothing is decided by that", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_keys", { amount: 1 }, { facts: { risk: "critical" } });
  await row(page, "refund_keys").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await row(page, "refund_keys").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/request/);
  await page.keyboard.press("Escape");
  await row(page, "refund_keys").waitFor();
  expect((await asked.view()).state).toBe("pending");
});

test("the system's own colours, and text twice as large: what is chosen and what cannot be pressed is still seen", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const lines = Array.from({ length: 60 }, (_, n) => `line ${n}`);
  await agent.ask("refund_forced", { lines }, { facts });
  await open(page, "refund_forced");
  await page.emulateMedia({ forcedColors: "active" });
  const drawn = (name: RegExp, role: "tab" | "button") =>
    page.getByRole(role, { name }).evaluate((element) => {
      const { color, borderTopColor, borderTopWidth } = getComputedStyle(element);
      return [color, borderTopColor, borderTopWidth].join();
    });
  expect(await drawn(/Readable/, "tab")).not.toBe(await drawn(/JSON/, "tab"));
  expect(await drawn(/Approve/, "button")).not.toBe(await drawn(/Reject/, "button"));
  await page.emulateMedia({ forcedColors: "none" });

  // As the browser's setting does, which the page must not undo.
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Page.setFontSizes", { fontSizes: { standard: 32, fixed: 26 } });
  const size = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize));
  await expect.poll(() => size("body")).toBe(32);
  await inspect(page, "detail-large-text");
  await page.goto(`${at.world.host.origin}/#/devices`);
  await inspect(page, "devices-large-text");
  await page.goto(`${at.world.host.origin}/#/`);
  await inspect(page, "inbox-large-text");
  await cdp.send("Page.setFontSizes", { fontSizes: { standard: 16, fixed: 13 } });
});
