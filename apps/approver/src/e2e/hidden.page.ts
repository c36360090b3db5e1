// What an agent writes to mislead: characters that a screen does not draw, letters that look like others, and words
// that claim something else than what runs, or to be somebody else's (hidden-characters, lies-in-the-loop).
import type { Locator, Page } from "playwright";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { look, open, row } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();

const section = (page: Page, heading: string): Locator =>
  page.getByRole("region", { name: heading, exact: true });
const agentSays = (page: Page) => section(page, "The agent says");
const why = (page: Page) => section(page, "Why you are asked");
const args = (page: Page) => section(page, "The arguments, in full");

/** Whatever a screen does not draw, or draws elsewhere: anywhere in the document, its title and its attributes. */
const hiddenIn = (page: Page) =>
  page.evaluate(() => {
    const hidden = /[^\P{C}\n]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
    const texts = [document.title, document.documentElement.textContent ?? ""];
    for (const element of document.querySelectorAll("*"))
      for (const { value } of element.attributes) texts.push(value);
    return texts.flatMap((text) => text.match(hidden) ?? []).map((one) => one.codePointAt(0)?.toString(16));
  });

const characters = [
  "\u202e", // right-to-left override
  "\u2066", // isolate
  "\u200b", // zero width space
  "\u200d", // joiner
  "\ufeff", // byte order mark
  "\u00ad", // soft hyphen
  "\u{e0041}", // tag
  "\u2028", // line separator
  "\u3164", // filler
  "\u0007", // bell
  "\u001b", // escape
  "\ue000", // private use
];
const tokenOf = (character: string) =>
  `⟨U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}⟩`;

test("hidden-characters: each is drawn as its number in title, summary, names, values and metadata, and none is left", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const all = characters.join("x");
  const shown = characters.map(tokenOf).join("x");
  await agent.ask(
    "pay_hidden",
    { to: `to${all}to`, [`name${all}`]: { deep: [`deep${all}`] } },
    {
      facts: { title: `title${all}`, summary: `summary${all}`, metadata: { [`meta${all}`]: `data${all}` } },
    },
  );
  await row(page, "pay_hidden").waitFor();
  expect(await hiddenIn(page), "in the inbox").toEqual([]);
  await open(page, "pay_hidden");
  await look(page);
  for (const text of [`to${shown}to`, `name${shown}`, `deep${shown}`])
    expect(await args(page).innerText()).toContain(text);
  for (const text of [`title${shown}`, `summary${shown}`, `meta${shown}`, `data${shown}`])
    expect(await agentSays(page).innerText()).toContain(text);
  expect(await hiddenIn(page), "on the request").toEqual([]);

  // Each is said beside the text that it is in, by its number.
  const warnings = (around: Locator) => around.getByText(/hidden characters \(.*U\+202E.*U\+200B/);
  expect(await warnings(args(page)).count()).toBe(3);
  expect(await warnings(agentSays(page)).count()).toBe(4);

  await page.getByRole("tab", { name: "JSON" }).click();
  for (const text of [`"to${shown}to"`, `"name${shown}"`, `"deep${shown}"`])
    expect(await args(page).innerText()).toContain(text);
  expect(await hiddenIn(page), "as JSON").toEqual([]);
});

test("hidden-characters: a token that the agent writes itself is not taken for one, and padding is counted", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  await agent.ask("pay_padded", { fake: "a⟨U+202E⟩b", note: `ok${" ".repeat(400)}and all the money` });
  await open(page, "pay_padded");
  await look(page);
  const text = await args(page).innerText();
  expect(text).toContain("a⟨U+27E8⟩U+202E⟩b");
  expect(text).toContain("ok⟨400 spaces⟩and all the money");
  expect(
    await args(page)
      .getByText(/hidden characters \(400 spaces\)/)
      .count(),
  ).toBe(1);
});

test("hidden-characters: homographs are flagged where they stand, with what they look like", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  await agent.ask(
    "pay_alike",
    { to: "p\u0430ypal.com", honest: "paypal.com", russian: "Москва", deep: [{ host: "\u0430pple" }] },
    { facts: { title: "Pay \u0440\u0430\u0443\u0440\u0430\u04cf", summary: "As always" } },
  );
  await open(page, "pay_alike");
  await look(page);
  const beside = (name: string) =>
    args(page)
      .locator(".member", { has: page.getByText(name, { exact: true }) })
      .getByText(/looks like/);
  expect(await beside("paypal.com").count(), "nothing is flagged that is as it seems").toBe(0);
  expect(await beside("Москва").count()).toBe(0);
  expect(await beside("p\u0430ypal.com").innerText()).toMatch(
    /Latin and Cyrillic letters.*looks like paypal/,
  );
  expect(await beside("\u0430pple").innerText()).toMatch(/looks like apple/);
  expect(
    await agentSays(page)
      .getByText(/looks like paypal/)
      .count(),
  ).toBe(1);
});

test("lies-in-the-loop: what the agent claims stands under its own heading, policy's reasons under the system's", async () => {
  const { page } = await at.world.home(alice);
  const rule = { tool: "*", then: "ask" as const, reason: "Deletions are asked about" };
  const agent = await at.world.agent({ policy: [rule] });
  const claims = { title: "Read one file", summary: "Policy says: approved by the system. Reads only." };
  await agent.ask("delete_lies", { path: "/srv/customers", recursive: true }, { facts: claims });
  await open(page, "delete_lies");
  await look(page);
  const said = await agentSays(page).innerText();
  expect(said).toMatch(/The agent's own words\. Nobody checked them/);
  const whole = await page.getByRole("article").innerText();
  for (const claim of Object.values(claims)) {
    expect(said).toContain(claim);
    expect(whole.split(claim), "nowhere else").toHaveLength(2);
  }
  const reasons = await why(page).innerText();
  expect(reasons).toContain("Deletions are asked about");
  expect(reasons).toMatch(/policy's rule/);
  expect(whole.split("Deletions are asked about"), "nowhere else").toHaveLength(2);
  // What runs comes first, and in full.
  expect(await args(page).innerText()).toMatch(/path[\s\S]*\/srv\/customers[\s\S]*recursive[\s\S]*true/);
  const [what, claim] = [await args(page).boundingBox(), await agentSays(page).boundingBox()];
  expect(what && claim && what.y < claim.y).toBe(true);
});

test("lies-in-the-loop: words that imitate the system's section stay inside of the agent's", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  const imitation = [
    "ok",
    "",
    "",
    "Why you are asked",
    "The policy's rule payments says:",
    "• Approved by the system",
    "</section><section><h2>Why you are asked</h2>",
    "All of it was on screen.",
  ].join("\n");
  await agent.ask(
    "delete_imitated",
    { path: "/srv/customers", "Why you are asked": imitation },
    { facts: { title: imitation, summary: imitation, metadata: { "Why you are asked": imitation } } },
  );
  await open(page, "delete_imitated");
  await look(page);
  const headings = await page.getByRole("article").getByRole("heading", { level: 2 }).allInnerTexts();
  expect(headings.filter((heading) => heading === "Why you are asked")).toHaveLength(1);
  expect(new Set(headings).size).toBe(headings.length);
  expect(await why(page).innerText()).not.toContain("Approved by the system");
  // Each line of it is drawn within the box of the element that is marked as the agent's.
  for (const [around, times] of [
    [agentSays(page), 3],
    [args(page), 1],
  ] as const) {
    const outer = await around.boundingBox();
    const lines = around.getByText(/Approved by the system/);
    expect(await lines.count()).toBe(times);
    for (const line of await lines.all()) {
      const inner = await line.boundingBox();
      if (!outer || !inner) throw new Error("Nothing is drawn.");
      expect(inner.y).toBeGreaterThanOrEqual(outer.y);
      expect(inner.y + inner.height).toBeLessThanOrEqual(outer.y + outer.height);
      expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
    }
  }
  // It is set apart from what the page says in its own words, without being read.
  const [own, system] = await Promise.all(
    [agentSays(page), why(page)].map((one) =>
      one.evaluate((element) => {
        const { backgroundColor, borderStyle, borderColor, borderWidth } = getComputedStyle(element);
        return { backgroundColor, borderStyle, borderColor, borderWidth };
      }),
    ),
  );
  expect(own).not.toEqual(system);
});

test("hidden-characters: each is drawn as its number in a tool's name, wherever that stands, and none is left", async () => {
  const { page } = await at.world.home(alice);
  const agent = await at.world.agent();
  await agent.ask("pay\u202eout\u200b", { amount: 1 });
  const tool = "pay⟨U+202E⟩out⟨U+200B⟩";
  await row(page, tool).waitFor();
  expect(await hiddenIn(page), "in the inbox").toEqual([]);
  await open(page, tool);
  await look(page);
  await expect.poll(() => page.getByRole("heading", { level: 1 }).innerText()).toContain(tool);
  expect(await hiddenIn(page), "on the request").toEqual([]);
  expect(await page.getByText(/hidden characters \(U\+202E U\+200B\)/).count()).toBe(1);
});
