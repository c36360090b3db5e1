import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import { MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import * as z from "zod";
import { kit, thread, until } from "./graph.fixture.ts";
import { example } from "./readme.example.ts";

const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");
/** Layout aside: the page breaks lines where it has room. */
const squeezed = (text: string) => text.replaceAll(/\s|,(?=\s*[}\])])/g, "");

test("the README shows the example, and the example runs", async () => {
  const shown = [...read("readme.example.ts").matchAll(/\/\/ README\n([\s\S]*?)\/\/ …/g)].map(
    (each) => each[1],
  );
  expect(squeezed(read("../README.md"))).toContain(squeezed(shown.join("")));

  const { guard, approver, ran, close } = await kit();
  const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
  const { graph, begin, worker } = example({
    guard,
    model: fakeModel()
      .respondWithTools([
        { name: "lookup_order", args: {}, id: "c1" },
        { name: "refund", args: { order: "A", amount: 900 }, id: "c2" },
      ])
      .respond(new AIMessage("done")) as never,
    checkpointer: new MemorySaver(),
    lookupOrder: tool(async () => "900", { name: "lookup_order", schema: z.object({}) }),
    shop: {
      refund: async (order, amount) => {
        ran.push([order, amount]);
        return { refunded: amount };
      },
    },
    ticketId: "ticket-7",
  });
  await begin();
  await held.arrived;
  expect(ran).toEqual([]);
  await held.approve();
  await until(async () => (await graph.getState(thread("ticket-7"))).values.messages.at(-1)?.text === "done");
  expect(ran).toEqual([["A", 900]]);
  await worker.close();
  await close();
});
