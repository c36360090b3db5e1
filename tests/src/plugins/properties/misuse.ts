/** Misuse fails when things are put together, with a message that says what to do (config-fail-open). */
import { createGuard } from "@guard/core";
import { expect, test } from "vitest";
import type { Subject } from "../subject.ts";

export function misuse(subject: Subject): void {
  test.for(subject.misuse)("config-fail-open: $title", ({ make, says }) => {
    const guard = createGuard({ approvers: ["alice@example.com"] });
    let thrown: unknown;
    try {
      make(guard);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "configuration", message: expect.stringMatching(says) });
  });
}
