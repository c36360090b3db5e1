/**
 * An agent: asks for every action of its plan, under the same keys in every life, and says what it was told. It ends
 * with 0 when every action came to an end, and with 75 when its evidence cannot be kept: somebody has to mend that.
 */
import { createGuard, type Execution, fileEvidence, type Guard, isGuardError } from "@guard/core";
import { act, note } from "../journal.ts";
import { type Item, inputOf, people, policy } from "../plan.ts";
import { clockIn, pointsOf, watchedEvidence, watchedFetch } from "../points.ts";
import { cannotGoOn, type Life, type Orders } from "./orders.ts";

class ToolFailure extends Error {}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function agent(orders: Orders, life: Life): Promise<number> {
  const { name, connection, directory, journal, clock, plan, death } = orders;
  const points = pointsOf(death);
  const passing = new Set(["unavailable", "rate_limited", "clock_skew"]);
  if (plan.patient) passing.add("in_progress");
  const stop = new AbortController();
  life.over.addEventListener("abort", () => stop.abort());

  const guard: Guard = createGuard({
    connection,
    approvers: people,
    policy,
    executionTimeout: 1000,
    requestTimeout: 3000,
    now: clockIn(clock),
    fetch: watchedFetch(points, journal),
    onPending: () => points.reach("onPending"),
    onDecided: () => points.reach("onDecided"),
    // The default store, and the default place of the roster, wherever no point lies inside of the store.
    ...(plan.fault === "agent-evidence"
      ? {
          evidence: watchedEvidence(
            fileEvidence({ directory: `${directory}/evidence`, name: "agent" }),
            points,
          ),
        }
      : { directory }),
  });

  async function tool(action: Item, { args, executionId, request }: Execution): Promise<{ done: true }> {
    points.reach("tool begin");
    const { item, amount } = args as { item: string; amount: number };
    act(journal, { item, amount, executionId, request, by: name });
    points.reach("tool acted");
    await pause(amount % 20);
    points.reach("tool end");
    if (action.fails) throw new ToolFailure("the tool failed after it had acted");
    return { done: true };
  }

  /** Asks once, and waits to the end. */
  async function once(action: Item): Promise<string> {
    const input = inputOf(plan, action);
    const key = action.item;
    if (plan.mode === "wait") {
      await guard.run(input, (execution) => tool(action, execution), { key, signal: stop.signal });
      return "ran";
    }
    while (!stop.signal.aborted) {
      const check = await guard.check(input, { key });
      if (check.status === "denied") throw check.error;
      if (check.status === "ready") {
        await check.run((execution) => tool(action, execution));
        return "ran";
      }
      await pause(60);
    }
    return "stopped";
  }

  /** Why the evidence cannot be kept any more. From then on nothing runs here. */
  function broken(error: Error): void {
    process.stderr.write(`${error.message} ${String(error.cause)}\n`);
    stop.abort(error);
  }

  async function pursue(action: Item): Promise<void> {
    for (;;) {
      let end: string;
      try {
        end = await once(action);
      } catch (error) {
        if (error instanceof ToolFailure) end = "tool_failed";
        else if (isGuardError(error)) end = error.code;
        else throw error;
        // Not the relay's doing, so it is the evidence.
        if (isGuardError(error, "unavailable") && error.relayCode === undefined) broken(error);
      }
      const final = !passing.has(end) && !stop.signal.aborted;
      note(journal, "told", { item: action.item, end, by: name, final });
      if (final || stop.signal.aborted) return;
      await pause(80);
    }
  }

  life.begun();
  await Promise.all(plan.items.map(pursue));
  try {
    await guard.close();
  } catch (error) {
    if (!isGuardError(error, "unavailable")) throw error;
    broken(error);
  }
  return stop.signal.aborted ? cannotGoOn : 0;
}
