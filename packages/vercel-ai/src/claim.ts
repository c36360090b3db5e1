/**
 * A run that is started before its tool comes: the receipt for it decides between processes that go on with the
 * same chat at once, before either has run a tool or asked a model.
 */
import type { Check, Execute } from "@guard/core";

export type Runnable = Pick<Check & { readonly status: "ready" }, "run">;

/** Far longer than the SDK takes from its last approval to its first tool. */
const patience = 60_000;

/** @throws GuardError where the run does not start, for instance because another process has it. */
export async function claim(check: Runnable): Promise<Runnable> {
  const tool = Promise.withResolvers<Execute<unknown>>();
  const started = Promise.withResolvers<void>();
  const running = check.run(async (execution) => {
    started.resolve();
    // A guard waits for its runs when it closes, and nobody may ever come with this one's tool.
    const timer = setTimeout(() => tool.reject(new Error("the SDK did not come to run it")), patience);
    try {
      return await (await tool.promise)(execution);
    } finally {
      clearTimeout(timer);
    }
  });
  running.catch(() => {}); // Whoever runs it gets the error.
  await Promise.race([started.promise, running]);
  return {
    run(execute) {
      tool.resolve(execute);
      return running as Promise<never>;
    },
  };
}
