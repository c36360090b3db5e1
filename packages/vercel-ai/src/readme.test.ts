import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelMessage } from "ai";
import { expect, test } from "vitest";
import { example } from "./readme.example.ts";
import { scripted } from "./scripted-model.fixture.ts";
import { chat, question, refund } from "./suspended.fixture.ts";

const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");
/** Layout aside: the page breaks lines where it has room. */
const squeezed = (text: string) => text.replaceAll(/\s|,(?=\s*[}\])])/g, "");

test("the README suspends as the example does, and the example runs", async () => {
  const shown = [...read("readme.example.ts").matchAll(/\/\/ README\n([\s\S]*?)\/\/ …/g)].map(
    (each) => each[1],
  );
  expect(squeezed(read("../README.md"))).toContain(squeezed(shown.join("")));

  await using made = await chat();
  const { guard, approver, tools, ran } = made;
  const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
  const stored = new Map<string, ModelMessage[]>([["ticket-7", [question]]]);
  const saved: (() => void)[] = [];
  const next = () => new Promise<void>((resolve) => saved.push(resolve));
  const { turn, worker } = example({
    guard,
    model: scripted([[refund("c1", 900)], "done"]),
    lookupOrder: tools.lookup,
    refund: tools.refund,
    chats: {
      load: async (id) => stored.get(id) ?? [],
      async save(id, messages) {
        stored.set(id, messages);
        saved.shift()?.();
      },
    },
  });
  await turn("ticket-7");
  await held.arrived;
  expect(ran).toEqual([]);
  const resumed = next();
  await held.approve();
  await resumed;
  await worker.close();
  expect(ran).toEqual([["c1", 900]]);
  expect(JSON.stringify(stored.get("ticket-7")?.at(-1))).toContain("done");
});
