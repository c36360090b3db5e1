// Nothing moves under a finger: what somebody points at stays where it is, whatever comes and goes (stale-decision).
import type { Locator, Page } from "playwright";
import { expect, onTestFinished, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { look, open, row } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const refund = { order: "A-1001", amount: 900 };
const phone = { width: 360, height: 740 };
const desk = { width: 1200, height: 800 };

/** Every place in which an element is drawn from now on, frame by frame, until the returned function is called. */
async function watch(element: Locator): Promise<() => Promise<readonly string[]>> {
  await element.evaluate((watched) => {
    const seen = window as unknown as { places: Set<string>; watching: boolean };
    Object.assign(seen, { places: new Set(), watching: true });
    const note = () => {
      const { x, y, width, height } = watched.getBoundingClientRect();
      seen.places.add([x, y, width, height].join());
      if (seen.watching) requestAnimationFrame(note);
    };
    note();
  });
  return () =>
    element.page().evaluate(() => {
      const seen = window as unknown as { places: Set<string>; watching: boolean };
      seen.watching = false;
      return [...seen.places];
    });
}

const middleOf = async (element: Locator) => {
  const box = await element.boundingBox();
  if (!box) throw new Error("It is not drawn.");
  return [box.x + box.width / 2, box.y + box.height / 2] as const;
};

/** A more urgent request comes, and another one expires. */
async function comeAndGo(page: Page, tool: string) {
  const soon = await at.world.agent({ expiresIn: 2500 });
  const others = await at.world.agent();
  return {
    async before() {
      await soon.ask(`${tool}_expires`, refund, { facts: { risk: "critical" } });
      await row(page, `${tool}_expires`).waitFor();
    },
    async during() {
      await others.ask(`${tool}_urgent`, refund, { facts: { risk: "critical" } });
      // On a phone the list is behind the request.
      const listed = (name: string) => page.locator("a.row", { hasText: name });
      await listed(`${tool}_urgent`).waitFor({ state: "attached" });
      await listed(`${tool}_expires`).filter({ hasText: "closed" }).waitFor({ state: "attached" });
    },
  };
}

test.each([
  ["a phone", phone],
  ["a desk", desk],
])(
  "stale-decision: on %s a row stays under the pointer while others come and expire, and a click opens it",
  async (_, size) => {
    const { page } = await at.world.home(alice);
    await page.setViewportSize(size);
    onTestFinished(() => page.setViewportSize(phone));
    const agent = await at.world.agent();
    const tool = `refund_row_${size.width}`;
    const others = await comeAndGo(page, tool);
    await agent.ask(`${tool}_pointed_at`, refund, { facts: { risk: "high" } });
    await others.before();
    // Entered anew, so that the one that will expire stands above.
    await page.goto(`${at.world.host.origin}/#/devices`);
    await page.goto(`${at.world.host.origin}/#/`);
    const mine = row(page, `${tool}_pointed_at`);
    const [x, y] = await middleOf(mine);
    const above = await row(page, `${tool}_expires`).boundingBox();
    expect(above && above.y < y).toBe(true);
    await page.mouse.move(x, y);
    const moved = await watch(mine);
    await others.during();
    expect(await moved()).toHaveLength(1);
    await page.mouse.down();
    await page.mouse.up();
    await page.getByRole("heading", { level: 1, name: `${tool}_pointed_at` }).waitFor();
  },
);

test.each([
  ["a phone", phone],
  ["a desk", desk],
])(
  "stale-decision: on %s the buttons of a request stay where they are while others come and expire",
  async (_, size) => {
    const { page } = await at.world.home(alice);
    await page.setViewportSize(size);
    onTestFinished(() => page.setViewportSize(phone));
    const agent = await at.world.agent();
    const tool = `refund_open_${size.width}`;
    const others = await comeAndGo(page, tool);
    const asked = await agent.ask(`${tool}_shown`, refund);
    await row(page, `${tool}_shown`).waitFor();
    await others.before();
    await open(page, `${tool}_shown`);
    await look(page);
    const button = page.getByRole("button", { name: "Approve", exact: true });
    const [x, y] = await middleOf(button);
    await page.mouse.move(x, y);
    const moved = await watch(button);
    await others.during();
    expect(await moved()).toHaveLength(1);
    await page.mouse.down();
    await page.mouse.up();
    await page.getByText("Your answer was taken.").waitFor();
    expect(await asked.ended).toEqual({ ran: refund });
  },
);
