/** What the properties begin with: a guard with its people, a conversation, and processes that are closed again. */
import type { Guard, Json, Rule } from "@guard/core";
import { type Held, type TestGuard, testGuard } from "@guard/testing";
import { expect, onTestFinished } from "vitest";
import type { Call, Conversation, Process, Result, Setup, Subject, Transcript, Turn } from "./subject.ts";
import { policy, ranLine, type Toolbox, toolbox } from "./toolbox.ts";

/** A process of the agent: a guard of its own, and the framework's objects over it. */
export interface OwnProcess extends Process {
  readonly guard: Guard;
}

export interface Scene extends Pick<TestGuard, "guard" | "approver"> {
  readonly subject: Subject;
  readonly tools: Toolbox;
  readonly chat: Conversation;
  process(rules?: readonly Rule[]): OwnProcess;
  /** Ids of the requests that anybody was asked. */
  readonly asked: readonly string[];
  /** Lets time pass. */
  advance(ms: number): void;
}

export interface SceneOptions extends Partial<Omit<Setup, "tools">> {
  readonly rules?: readonly Rule[];
}

export async function scene(subject: Subject, options: SceneOptions): Promise<Scene> {
  const { rules = policy, session = "session-1", script = [], ...setup } = options;
  const asked = new Set<string>();
  let ahead = 0;
  const made = await testGuard({
    policy: rules,
    onPending: ({ request }) => void asked.add(request),
    now: () => Date.now() + ahead,
  });
  onTestFinished(made.close);
  const tools = toolbox();
  const chat = subject.open({ session, tools, script, ...setup });
  return {
    subject,
    guard: made.guard,
    approver: made.approver,
    tools,
    chat,
    process(other) {
      const guard = made.another(other ? { policy: other } : {});
      return { ...chat.process(guard), guard };
    },
    get asked() {
      return [...asked];
    },
    advance(ms) {
      ahead += ms;
    },
  };
}

/** A worker in a process of its own acts on all that is known by now. @throws what it could not resume */
export async function work(s: Scene, process = s.process()): Promise<void> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const worker = process.worker({ guard: process.guard, storedWithin: 300, onError });
  await worker.idle();
  await worker.close();
  if (errors.length > 0) throw errors[0];
}

export interface Given {
  readonly held: Held;
  readonly give: (held: Held) => Promise<void>;
}

/** Runs the agent to its end while people answer in this order. `each`: a worker is at work after each answer. */
export async function play(s: Scene, answers: readonly Given[], { each = false } = {}): Promise<void> {
  const process = s.process();
  const running = process.start();
  if (s.subject.mode === "suspend") await running;
  for (const { held } of answers) await held.arrived;
  for (const { held, give } of answers) {
    await give(held);
    if (s.subject.mode === "wait") continue;
    await settled(s.guard, held);
    if (each) await work(s);
  }
  if (s.subject.mode === "suspend" && !each) await work(s);
  await running;
}

/** Until the approvers' answer has reached the relay. */
export async function settled(guard: Guard, held: Pick<Held, "arrived">): Promise<void> {
  const { request } = await held.arrived;
  await until(async () => (await guard.read(request)).state !== "pending");
}

export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((next) => setTimeout(next, 2));
}

export const pay = (id: string, amount: number, to = "bob"): Call => ({
  id,
  tool: "pay",
  args: { to, amount },
});
export const lookup = (id: string, q = "rates"): Call => ({ id, tool: "lookup", args: { q } });
export const wipe = (id: string): Call => ({ id, tool: "wipe", args: { table: "users" } });

/** How a run of this call is noted. */
export const ranOf = ({ tool, args }: Call, edited: Json = args): string => ranLine(tool, edited);

/** A script of one turn of calls, and an end. */
export const turnOf = (...calls: readonly Call[]): readonly Turn[] => [calls, "the end"];

/** What the model was given last; where no model is part of it, what is stored. */
export async function heard({ subject, chat }: Pick<Scene, "subject" | "chat">): Promise<Transcript> {
  const last = chat.prompts.at(-1);
  return subject.traits.model && last ? last : chat.stored();
}

export async function resultOf(s: Pick<Scene, "subject" | "chat">, id: string): Promise<Omit<Result, "id">> {
  const found = (await heard(s)).results.filter((result) => result.id === id);
  expect(found, `results of ${id}`).toHaveLength(1);
  const { kind, text } = found[0] as Result;
  return { kind, text };
}

/** The run has come to its end, and every call has one result. */
export async function expectWhole(s: Scene): Promise<void> {
  const { calls, results, text } = await s.chat.stored();
  expect(results.map(({ id }) => id).toSorted()).toEqual(calls.map(({ id }) => id).toSorted());
  if (s.subject.traits.model) expect(text).toBe("the end");
}
