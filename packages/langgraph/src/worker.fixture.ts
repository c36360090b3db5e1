/** A guard, a graph's tools and workers over them, closed after each test. */
import type { BaseMessage } from "@langchain/core/messages";
import { afterEach } from "vitest";
import { kit as make, thread } from "./graph.fixture.ts";
import { type ResumableGraph, type ResumeGraphOptions, resumeWorker } from "./worker.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

export async function kit() {
  const made = await make();
  open.push(made);
  const errors: unknown[] = [];
  const work = (graph: ResumableGraph, more: Partial<ResumeGraphOptions> = {}) => {
    const worker = resumeWorker({
      guard: made.guard,
      graph,
      onError: (error) => errors.push(error),
      ...more,
    });
    open.push(worker);
    return worker;
  };
  return { ...made, work, errors };
}

export type Call = [string, Record<string, unknown>, string];
export const refund = (order: string, amount: number, id: string): Call => ["refund", { order, amount }, id];
/** Whether a thread has ended with this text. */
export const said = async (graph: ResumableGraph, id: string, text: string) => {
  const { values } = await graph.getState(thread(id));
  return (values.messages as BaseMessage[] | undefined)?.at(-1)?.text === text;
};
