import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, UnavailableError } from "@guard/core";
import type { Decision, Item, OpenedRequest } from "@guard/device";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createController, type Key } from "./controller.ts";
import { editArguments } from "./editor.ts";

const size = { columns: 100, rows: 24 };

function item(name: string, over: Partial<OpenedRequest> = {}, failure?: Error) {
  const decisions: Decision[] = [];
  const opened: OpenedRequest = {
    request: name.padEnd(43, "A"),
    state: "pending",
    version: 1,
    agent: "billing",
    agentSuspended: false,
    tool: name,
    args: { amount: 900 },
    schema: null,
    facts: { risk: "low" },
    policy: { version: "v", rule: "#1", reasons: [] },
    terms: { approvers: ["alice"], quorum: 1, rejections: 1, editable: true, requester: null },
    session: null,
    createdAt: 0,
    expiresAt: 60_000,
    useBy: 70_000,
    round: 0,
    answers: [],
    missing: 1,
    closed: null,
    ...over,
  };
  const device = {
    decide: async (_opened: OpenedRequest, decision: Decision) => {
      decisions.push(decision);
      if (failure) throw failure;
      return {};
    },
  } as unknown as Item["device"];
  return { item: { device, identity: "alice", opened } satisfies Item, decisions };
}

/** A screen over `items`, with a clock that the test moves and keys as a person presses them. */
function screen(items: Item[], { autoOpen = false, taking = Promise.resolve() } = {}) {
  const said: string[] = [];
  const edits: Item[] = [];
  let time = 0;
  let quits = 0;
  const controller = createController({
    inbox: {
      items: () => items.filter(({ opened }) => opened.expiresAt > time),
      accept: async () => {
        await taking;
        items.splice(0, items.length);
      },
      ended: ({ opened }) => (opened.expiresAt > time ? null : "It is expired."),
    },
    onChange: () => {},
    onLine: ({ text }) => said.push(text),
    onEdit: (edited) => edits.push(edited),
    onQuit: () => quits++,
    autoOpen,
    now: () => time,
  });
  const press = (...keys: (string | Key)[]) => {
    for (const key of keys) controller.press(typeof key === "string" ? { input: key } : key);
  };
  const text = (at = size) =>
    controller
      .draw(at)
      .map((line) => line.text)
      .join("\n");
  controller.changed();
  return {
    controller,
    said,
    edits,
    press,
    text,
    wait: (ms: number) => {
      time += ms;
      controller.changed();
    },
    type: (word: string) => press(...word),
    quits: () => quits,
  };
}

const enter: Key = { input: "", name: "return" };
const back: Key = { input: "", name: "escape" };
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the list", () => {
  test("is shown as the inbox orders it, and the cursor opens what it points at", () => {
    const view = screen([item("first").item, item("second").item]);
    expect(view.text()).toMatch(/› firstAAA[\s\S]*secondAA[\s\S]*2 waiting/);
    view.press("j", "j", enter);
    expect(view.text()).toContain("billing wants to run second");
    view.press(back, "q");
    expect(view.quits()).toBe(1);
  });
});

describe("approving", () => {
  test("stale-decision: no key approves a request that has just come up", async () => {
    const { item: one, decisions } = item("refund");
    const view = screen([one], { autoOpen: true });
    view.text();
    view.press("a");
    expect(view.text()).toContain("has just come up");
    view.wait(600);
    view.press("a");
    await settled();
    expect(decisions).toEqual([{ decision: "approve" }]);
    expect(view.said).toEqual(["alice approved: refund refundAA"]);
  });

  test("out-of-view: neither approval nor edit before the last line was in view", async () => {
    const { item: one, decisions } = item("refund", { args: Array.from({ length: 50 }, (_, i) => i) });
    const view = screen([one], { autoOpen: true });
    view.wait(1000);
    for (const key of ["a", "e"]) {
      view.text();
      view.press(key);
      expect(view.text()).toContain("Read to the end first");
    }
    for (let i = 0; i < 5; i++) {
      view.press(" ");
      view.text();
    }
    view.press("a");
    await settled();
    expect(decisions).toHaveLength(1);
    expect(view.edits).toHaveLength(0);
  });

  test("a request that was answered here is not reported as lost while the inbox takes the answer", async () => {
    const { item: one } = item("refund");
    const taking = Promise.withResolvers<void>();
    const view = screen([one], { autoOpen: true, taking: taking.promise });
    view.text();
    view.wait(1000);
    view.press("a");
    await settled();
    // Time passes on a busy machine: the screen is redrawn, and the inbox still lists the request.
    view.wait(1000);
    taking.resolve();
    await settled();
    expect(view.said).toEqual(["alice approved: refund refundAA"]);
    expect(view.text()).toBe("Nothing waits for an answer.");
  });

  test.each(["high", "critical"] as const)("%s risk takes the typed word", async (risk) => {
    const { item: one, decisions } = item("wipe", { facts: { risk } });
    const view = screen([one], { autoOpen: true });
    view.text();
    view.wait(1000);
    view.press("a", "y", enter);
    expect(view.text()).toContain("Type the word approve");
    await settled();
    expect(decisions).toEqual([]);
    view.press(back, "a");
    view.type("approve");
    view.press(enter);
    await settled();
    expect(decisions).toEqual([{ decision: "approve" }]);
  });
});

test("a rejection carries its reason", async () => {
  const { item: one, decisions } = item("refund");
  const view = screen([one], { autoOpen: true });
  view.press("r");
  view.type("noo");
  view.press({ input: "", name: "backspace" }, enter);
  await settled();
  expect(decisions).toEqual([{ decision: "reject", reason: "no" }]);
});

describe("editing", () => {
  test("shows the difference and asks before it approves other arguments", async () => {
    const { item: one, decisions } = item("refund");
    const view = screen([one], { autoOpen: true });
    view.text();
    view.press("e");
    expect(view.edits).toEqual([one]);
    view.controller.edited(one, { amount: 90 });
    expect(view.text()).toMatch(/- {3}"amount": 900[\s\S]*\+ {3}"amount": 90/);
    view.press("y", enter);
    await settled();
    expect(decisions).toEqual([{ decision: "approve", args: { amount: 90 } }]);
  });

  test("without a change nothing is asked", () => {
    const { item: one, decisions } = item("refund");
    const view = screen([one], { autoOpen: true });
    view.controller.edited(one, null);
    expect(view.text()).toContain("Nothing was changed.");
    expect(decisions).toEqual([]);
  });

  test("stale-decision: an edit of a request that is gone lands on no other", () => {
    const gone = item("gone").item;
    const view = screen([item("other").item], { autoOpen: true });
    view.controller.edited(gone, { amount: 90 });
    expect(view.text()).not.toContain("Approve with these changes");
  });

  test("is refused where the terms do not allow it", () => {
    const terms = { approvers: ["alice"], quorum: 1, rejections: 1, editable: false, requester: null };
    const view = screen([item("refund", { terms }).item], { autoOpen: true });
    view.text();
    view.press("e");
    expect(view.text()).toContain("may not be edited.");
    expect(view.edits).toEqual([]);
  });
});

describe("a request that ends while it is open", () => {
  test("a late decision is told, and the request leaves the screen", async () => {
    const late = new UnavailableError("Too late: the request is rejected already.");
    late.relayCode = "already_decided";
    const view = screen([item("refund", {}, late).item]);
    view.press(enter);
    view.text();
    view.wait(1000);
    view.press("a");
    await settled();
    expect(view.said).toEqual(["refund refundAA: Too late: the request is rejected already."]);
    expect(view.text()).toContain("1 waiting");
  });

  test("stale-decision: expired or answered elsewhere, keys do not reach the next one", async () => {
    const [first, next] = [item("first", { expiresAt: 5000 }), item("next")];
    const items = [first.item, next.item];
    const view = screen(items, { autoOpen: true });
    view.text();
    view.wait(6000);
    expect(view.said).toEqual(["That request cannot be answered any more: first firstAAA. It is expired."]);
    expect(view.text()).toContain("wants to run next");
    view.press("a");
    items.splice(0, 2);
    view.controller.changed();
    expect(view.said.at(-1)).toContain("next nextAAAA");
    expect(view.text()).toBe("Nothing waits for an answer.");
    view.press("a", "r", enter);
    await settled();
    expect([first.decisions, next.decisions]).toEqual([[], []]);
  });
});

describe("the editor", () => {
  const made: string[] = [];
  afterEach(() => {
    vi.unstubAllEnvs();
    for (const directory of made.splice(0)) rmSync(directory, { recursive: true });
  });

  function edit(script: string, args: Json): Json | null {
    const directory = mkdtempSync(join(tmpdir(), "guard-editor-"));
    made.push(directory);
    const file = join(directory, "editor");
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    vi.stubEnv("VISUAL", "");
    vi.stubEnv("EDITOR", file);
    return editArguments(args);
  }

  test("returns what was edited", () => {
    expect(edit(`sed -i.bak s/900/90/ "$1"`, { amount: 900 })).toEqual({ amount: 90 });
  });

  test("the same value, in whatever layout, is no change", () => {
    expect(edit(`echo '{"b":1,"a":2}' > "$1"`, { a: 2, b: 1 })).toBeNull();
  });

  test("text that is not JSON goes back to the editor, which says why", () => {
    const script = `if grep -q '^// Not usable' "$1"; then echo '{"amount":90}' > "$1"; else echo '{"amount":' > "$1"; fi`;
    expect(edit(script, { amount: 900 })).toEqual({ amount: 90 });
  });

  test("an emptied file changes nothing, an editor that fails is named", () => {
    expect(edit(`: > "$1"`, { amount: 900 })).toBeNull();
    expect(() => edit("exit 3", { amount: 900 })).toThrow(/ended with an error/);
  });
});
