/** What every file of these tests starts with: a browser, and a world around it. */
import type { Browser } from "playwright";
import { afterAll, beforeAll } from "vitest";
import { launch } from "../../../../tools/runtimes/chromium.ts";
import { startWorld, type World } from "./world.fixture.ts";

/** One world for all tests of a file; ended with it. */
export function worldOfThisFile(): { readonly at: { readonly world: World; readonly browser: Browser } } {
  let started: { world: World; browser: Browser } | null = null;
  beforeAll(async () => {
    const browser = await launch();
    started = { browser, world: await startWorld(browser) };
  });
  afterAll(async () => {
    await started?.world.close();
    await started?.browser.close();
  });
  const running = () => {
    if (!started) throw new Error("The world is there once tests run: use it inside of them.");
    return started;
  };
  return {
    at: {
      get world() {
        return running().world;
      },
      get browser() {
        return running().browser;
      },
    },
  };
}
