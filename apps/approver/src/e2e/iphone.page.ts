// On an iPhone a tab and an installed app share no storage: keys made in the tab would stay behind there. These tests
// are Chromium that says it is Safari; nothing of Safari itself is tested.
import { type BrowserContext, devices } from "playwright";
import { expect, test } from "vitest";
import { worldOfThisFile } from "./browser.fixture.ts";
import { endEnrolment, startEnrolment } from "./person.fixture.ts";
import { alice } from "./world.fixture.ts";

const { at } = worldOfThisFile();
const { defaultBrowserType: _, ...iPhone } = devices["iPhone 15"] ?? {};

/** As iOS tells an app on the home screen. */
const installed = (context: BrowserContext) =>
  context.addInitScript(() => Object.defineProperty(navigator, "standalone", { value: true }));

test("iPhone: a tab is told to install first, and the invitation is carried over to the installed app", async () => {
  const tab = await at.world.visit({ ...iPhone, permissions: ["clipboard-read", "clipboard-write"] });
  const invited = await at.world.invite(alice);
  await tab.page.goto(invited.link);
  const notice = tab.page.getByRole("region", { name: "Install this page first" });
  await notice.waitFor();
  expect(await notice.getByRole("listitem").allInnerTexts()).toEqual([
    "Copy the invitation.",
    "Tap Share, then “Add to Home Screen”.",
    "Open Guard from the home screen and paste it there.",
  ]);
  // It comes before what would make keys here.
  const [first, then] = [
    await notice.boundingBox(),
    await tab.page.getByRole("button", { name: "Enrol this device" }).boundingBox(),
  ];
  expect(first && then && first.y < then.y).toBe(true);
  await notice.getByRole("button", { name: "Copy the invitation" }).click();
  await notice.getByText("Copied. Paste it in the installed app.").waitFor();
  const copied = await tab.page.evaluate(() => navigator.clipboard.readText());

  const app = await at.world.visit(iPhone);
  await installed(app.context);
  await app.page.goto(at.world.host.origin);
  await app.page.getByRole("textbox", { name: "Invitation" }).fill(copied);
  expect(await app.page.getByText(/install this page first/i).count()).toBe(0);
  await app.page.getByRole("button", { name: "Read the invitation" }).click();
  await app.page.getByText(alice).waitFor();
  expect(await app.page.getByText(/install this page first/i).count()).toBe(0);
  const onPage = await startEnrolment(app.page);
  const { fingerprint, confirm } = await invited.device();
  expect(onPage).toBe(fingerprint);
  await confirm();
  await endEnrolment(app.page);
});

test("iPhone: without an invitation a tab says so too; no other phone and no desk is told", async () => {
  const tab = await at.world.visit(iPhone);
  await tab.page.goto(at.world.host.origin);
  await tab.page.getByText(/install this page first: Share/i).waitFor();
  const { defaultBrowserType: _, ...pixel } = devices["Pixel 7"] ?? {};
  for (const other of [pixel, {}]) {
    const { page } = await at.world.visit(other);
    await page.goto((await at.world.invite(alice)).link);
    await page.getByRole("button", { name: "Enrol this device" }).waitFor();
    expect(await page.getByText(/install this page first/i).count()).toBe(0);
  }
});
