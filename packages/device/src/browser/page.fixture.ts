/** For tests of what only a browser has: they run where there is a page and are skipped in Node. */
import { describe } from "vitest";

export const inPage = describe.skipIf(typeof document === "undefined");
