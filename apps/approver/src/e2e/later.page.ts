/** The script that is loaded after the page: its bytes are as fixed as the page's own, and answering does without it. */
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { approve, look, open, startEdit } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();

test("relay-served-page: another later.js than the one that was built does not run", async () => {
  const { page } = await at.world.enrol(alice);
  const built = await page.context().request.get(`${at.world.host.origin}/later.js`);
  at.world.host.replace("/later.js", Buffer.from(`globalThis.replaced = true;\n${await built.text()}`));
  await page.reload();
  const agent = await at.world.agent();
  const asked = await agent.ask("refund", { amount: 900 }, { validate: async (args: unknown) => args });
  await open(page, "refund");
  await look(page);
  await startEdit(page);
  await page.getByRole("alert").getByText("Reload the page").waitFor();
  expect(await page.evaluate(() => "replaced" in globalThis)).toBe(false);

  // What a person needs to answer came with the page.
  await page.goBack();
  await open(page, "refund");
  await look(page);
  await approve(page);
  expect(await asked.ended).toEqual({ ran: { amount: 900 } });

  at.world.host.replace("/later.js", await built.body());
  await page.reload();
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByText("fingerprint", { exact: false }).first().waitFor();
});
