// A relay that plays back what it has: older versions, other requests, bytes that it changed (stale-delivery). What
// agents signed cannot be changed unnoticed; what was over once is not answerable again.
import type { RequestView } from "@guard/core";
import type { Page } from "playwright";
import { expect, onTestFinished, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { approve, approveButton, look, open, row, told } from "./person.fixture.ts";
import { type Asked, alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();

const addressOf = (request: string) =>
  `${at.world.host.origin}/#/request/${encodeURIComponent(request)}/${encodeURIComponent(alice)}`;

/** From now on the relay gives this for the request, whatever it has. */
async function replace(page: Page, { request }: Asked, given: (real: RequestView) => object) {
  const address = `${at.world.relayUrl}/v1/requests/${encodeURIComponent(request)}`;
  await page.route(address, async (route) => {
    const real = await route.fetch();
    await route.fulfill({ response: real, json: given(JSON.parse(await real.text())) });
  });
  // The page may be reading it again just then.
  const stop = () => page.unrouteAll({ behavior: "ignoreErrors" });
  onTestFinished(stop);
  return stop;
}

/** Opens it by its address, in a page that remembers nothing. */
async function openAnew(page: Page, { request }: Asked) {
  await page.goto("about:blank");
  await page.goto(addressOf(request));
}

async function expectNothingToAnswer(page: Page) {
  expect(await approveButton(page).count()).toBe(0);
  expect(await page.getByRole("button", { name: /reject|edit/i }).count()).toBe(0);
}

/** The same text with one character of its middle changed. */
const flipped = (text: string) => {
  const middle = text.length >> 1;
  return text.slice(0, middle) + (text[middle] === "A" ? "B" : "A") + text.slice(middle + 1);
};
const changes: readonly (readonly [string, (real: RequestView) => object])[] = [
  ["its ciphertext changed", (real) => ({ ...real, ciphertext: flipped(real.ciphertext) })],
  ["its ciphertext cut off", (real) => ({ ...real, ciphertext: real.ciphertext.slice(0, -8) })],
  [
    "another key",
    (real) => ({ ...real, wrap: { ...real.wrap, ciphertext: flipped(real.wrap?.ciphertext ?? "") } }),
  ],
  ["no key", (real) => ({ ...real, wrap: null })],
  [
    "another signature",
    (real) => ({ ...real, header: { ...real.header, signature: flipped(`${real.header.signature}`) } }),
  ],
];

test.each(changes)("stale-delivery: a request with %s is neither listed nor shown", async (_, change) => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const honest = await agent.ask("refund_honest", { amount: 1 });
  await row(page, "refund_honest").first().waitFor();
  await replace(page, honest, change);
  await openAnew(page, honest);
  await page.getByRole("button", { name: "Back" }).waitFor();
  await expect.poll(() => page.getByText("Reading the request").count()).toBe(0);
  await expectNothingToAnswer(page);
  await page.goto(`${at.world.host.origin}/#/`);
  expect(await page.locator(`a[href*="${honest.request}"]`).count()).toBe(0);
  expect((await honest.view()).answers).toHaveLength(0);
});

test("stale-delivery: an expiry that the relay moved is refused: the agent signed another one", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_prolonged", { amount: 1 });
  const { body } = (await asked.view()).header;
  const { expiresAt, useBy } = JSON.parse(body) as { expiresAt: number; useBy: number };
  const later = (text: string) =>
    [expiresAt, useBy].reduce((so, time) => so.replaceAll(`${time}`, `${time + 3_600_000}`), text);
  expect(JSON.parse(later(body))).toMatchObject({
    expiresAt: expiresAt + 3_600_000,
    useBy: useBy + 3_600_000,
  });
  await replace(page, asked, (real) => ({
    ...real,
    header: { ...real.header, body: later(real.header.body) },
  }));
  await openAnew(page, asked);
  await told(page, /did not sign it/);
  await expectNothingToAnswer(page);
});

test("stale-delivery: another request's body under this id is refused", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_small", { amount: 1 });
  const other = await agent.ask("refund_large", { amount: 1_000_000 });
  const real = await deviceView(page, other);
  await replace(page, asked, () => ({ ...real, request: asked.request }));
  await openAnew(page, asked);
  await told(page, /under another id/);
  await expectNothingToAnswer(page);

  const third = await agent.ask("refund_third", { amount: 3 });
  await replace(page, third, () => real);
  await openAnew(page, third);
  await told(page, /another request/);
  await expectNothingToAnswer(page);
});

/** What the relay gives this page's device for it, with the key that is wrapped for that. */
async function deviceView(page: Page, asked: Asked): Promise<RequestView> {
  const given: RequestView[] = [];
  const stop = await replace(page, asked, (real) => {
    given.push(real);
    return real;
  });
  await openAnew(page, asked);
  await expect.poll(() => given.length).toBeGreaterThan(0);
  await stop();
  return given[0] as RequestView;
}

test("stale-delivery: what ended is not answerable again by an older version, in the list or by its address", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const asked = await agent.ask("refund_older", { amount: 1 });
  const older = await deviceView(page, asked);
  expect(older.state).toBe("pending");
  await page.goto(`${at.world.host.origin}/#/`);
  await open(page, "refund_older");
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: { amount: 1 } });
  await replace(page, asked, () => older);
  await page.goto(`${at.world.host.origin}/#/`);
  // All streams begin anew, with whatever the relay says then.
  at.world.relay.release();
  await agent.ask("refund_newer", { amount: 2 });
  await row(page, "refund_newer").waitFor();
  expect(await row(page, "refund_older").count()).toBe(0);
  await page.goto(addressOf(asked.request));
  await page.getByRole("button", { name: "Back" }).waitFor();
  await told(page, /refund_older|older/);
  await expectNothingToAnswer(page);
});
