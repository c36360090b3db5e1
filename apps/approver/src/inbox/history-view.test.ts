import type { RequestView } from "@guard/core";
import { expect, test } from "vitest";
import { lastOf } from "./history-view.tsx";

test("older requests are offered only where a page came back full", () => {
  const views = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ request: `request-${i}` }) as RequestView);
  expect(lastOf(views(0))).toBeNull();
  expect(lastOf(views(49))).toBeNull();
  expect(lastOf(views(50))).toBe("request-49");
});
