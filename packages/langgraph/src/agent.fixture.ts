// An agent of langchain's `createAgent`, with a model whose answers are written down, behind the guard's middleware.
import type { Rule } from "@guard/core";
import { wakeValue } from "@guard/core/plugin";
import { testGuard } from "@guard/testing";
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, INTERRUPT, MemorySaver } from "@langchain/langgraph";
import { type AgentMiddleware, createAgent, fakeModel } from "langchain";
import { afterEach } from "vitest";
import * as z from "zod";
import { guardMiddleware } from "./middleware.ts";
import type { GuardMiddlewareOptions } from "./middleware-options.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

export type Options = Omit<GuardMiddlewareOptions, "guard">;
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly args: Record<string, unknown>;
}

export const refund = (id: string, amount: number): Call => ({
  id,
  name: "refund",
  args: { order: "A", amount },
});
export const lookup: Call = { id: "l1", name: "lookup", args: { order: "A" } };

export function shopTools(ran: unknown[]) {
  return [
    tool(
      ({ order }) => {
        ran.push(["lookup", order]);
        return `${order} is worth 900`;
      },
      { name: "lookup", description: "Looks up", schema: z.object({ order: z.string() }) },
    ),
    tool(
      (input) => {
        ran.push(["refund", input]);
        if (input.amount === 666) throw new TypeError("the bank is closed");
        return `refunded ${input.amount}`;
      },
      {
        name: "refund",
        description: "Refunds an order",
        schema: z.object({ order: z.string(), amount: z.number() }),
      },
    ),
  ];
}

/** A guard that is closed after the test; lookups are allowed. */
export async function shop(also: readonly Rule[] = []) {
  const made = await testGuard({ policy: [{ tool: "lookup", then: "allow" }, ...also] });
  open.push(made);
  return made;
}

export async function kit() {
  const made = await shop();
  const ran: unknown[] = [];
  const tools = shopTools(ran);

  /** An agent whose model says what `turns` say: calls, or a text. */
  function agent(
    turns: readonly (string | readonly Call[])[],
    options: Options & { around?: AgentMiddleware[]; inside?: AgentMiddleware[]; version?: "v1" } = {},
    more: Partial<Parameters<typeof createAgent>[0]> = {},
  ) {
    const { around = [], inside = [], version = "v2", ...rest } = options;
    const model = fakeModel();
    for (const turn of turns) {
      if (typeof turn === "string") model.respond(new AIMessage(turn));
      else model.respondWithTools([...turn]);
    }
    const app = createAgent({
      model,
      tools,
      version,
      checkpointer: new MemorySaver(),
      middleware: [...around, guardMiddleware({ guard: made.guard, ...rest }), ...inside],
      ...more,
    });
    return Object.assign(app, { model });
  }
  return { ...made, ran, tools, agent };
}

export const thread = (id = "t") => ({ configurable: { thread_id: id } });
export const go = { messages: [new HumanMessage("go")] };

export type Result = { messages: BaseMessage[]; [INTERRUPT]?: { id?: string; value?: unknown }[] };

export const invoke = async (
  agent: { invoke(input: typeof go, config: object): Promise<unknown> },
  input: unknown,
  id?: string,
) => (await agent.invoke(input as typeof go, thread(id))) as Result;

export const toolMessages = ({ messages }: { messages: readonly BaseMessage[] }) =>
  messages
    .filter(ToolMessage.isInstance)
    .map(({ tool_call_id, status, content }) => [tool_call_id, status, content]);

export const requestsIn = (result: Result) =>
  (result[INTERRUPT] ?? []).flatMap(
    ({ value }) => (value as { guard: { requests: { request: string; callId: string }[] } }).guard.requests,
  );

/** Resumes what waits, all of it, with `value`. */
export const resume = (result: Result, value: unknown) =>
  new Command({ resume: Object.fromEntries((result[INTERRUPT] ?? []).map(({ id }) => [id, value])) });

export const woken = (request: string, state: "approved" | "completed" = "approved") =>
  wakeValue({ request, state });
