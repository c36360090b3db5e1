import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LibSQLStore } from "@mastra/libsql";
import { expect, test } from "vitest";
import { asModel, kit, refund, slow } from "./kit.fixture.ts";
import { example } from "./readme.example.ts";
import { scripted } from "./scripted-model.fixture.ts";

const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");
/** Layout aside: the page breaks lines where it has room. */
const squeezed = (text: string) => text.replaceAll(/\s|,(?=\s*[}\])])/g, "");

test("the README shows the example, and the example runs", async () => {
  const shown = [...read("readme.example.ts").matchAll(/\/\/ README\n([\s\S]*?)\/\/ …/g)].map(
    (each) => each[1],
  );
  expect(squeezed(read("../README.md"))).toContain(squeezed(shown.join("")));

  const { guard, approver, ran } = await kit();
  const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
  const said: unknown[] = [];
  const { begin, worker } = example({
    guard,
    model: asModel(scripted([[refund("c1", 900)], "done"])),
    storage: new LibSQLStore({ id: "store", url: ":memory:" }),
    shop: {
      refund: async (order, amount) => {
        ran.push([order, amount]);
        return { refunded: amount };
      },
    },
    show: (thread, text) => said.push([thread, text]),
  });
  expect((await begin()).finishReason).toBe("suspended");
  await held.arrived;
  expect(ran).toEqual([]);
  await held.approve();
  await expect.poll(() => said, slow).toEqual([["ticket-7", "done"]]);
  expect(ran).toEqual([["A", 900]]);
  await worker.close();
});
