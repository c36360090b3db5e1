/**
 * `@guard/testing`: the real relay in memory and a scripted approver, for your own tests.
 *
 * @example
 * const { guard, approver, close } = await testGuard({ policy });
 * approver.expect("refund", { amount: 900 }).edit({ amount: 90 });
 * // … run your agent …
 * approver.done();
 * await close();
 */
import {
  createGuard,
  formatConnection,
  type Guard,
  type GuardOptions,
  type MemoryEvidence,
  memoryEvidence,
} from "@guard/core";
import { type Approver, scriptedApprover } from "./approver.ts";
import { type Bench, createBench, watchDevice } from "./bench.ts";

export type { AnswerOptions, Approver, Expectation, Held } from "./approver.ts";
export { type Bench, type BenchOptions, createBench, watchDevice } from "./bench.ts";

export interface TestGuardOptions extends Omit<GuardOptions, "connection" | "fetch"> {
  /** People with devices beside those whom approvers and rules name. */
  readonly people?: readonly string[];
}

export interface TestGuard extends AsyncDisposable {
  readonly guard: Guard;
  readonly approver: Approver;
  /** Everything the guard recorded, where no other store was given. */
  readonly evidence: MemoryEvidence;
  /** The installation behind it: owner, devices, relay. */
  readonly bench: Bench;
  /** Another guard of the same agent, as a second process would have. */
  another(options?: Omit<GuardOptions, "connection">): Guard;
  close(): Promise<void>;
}

/** A guard whose approvers are scripted. Without approvers anywhere, `alice@example.com` is asked. */
export async function testGuard(options: TestGuardOptions = {}): Promise<TestGuard> {
  const { people = [], approvers = ["alice@example.com"], evidence: given, ...rest } = options;
  const named = (rest.policy ?? []).flatMap((rule) => rule.approvers ?? []);
  const bench = await createBench({
    people: [...new Set([...approvers, ...named, ...people])],
    ...(options.now ? { now: options.now } : {}),
  });
  const evidence = memoryEvidence();
  const stop = new AbortController();
  const script = scriptedApprover({
    of(identity) {
      const device = bench.devices.get(identity);
      if (!device)
        throw new Error(`${identity} has no device in this test. Name them in people or approvers.`);
      return device;
    },
  });
  // Several devices hear of one request; the script sees it once. A failure in it is the test's to know.
  const seen = new Set<string>();
  const failures: unknown[] = [];
  const work = new Set<Promise<void>>();
  for (const device of bench.devices.values()) {
    void watchDevice(device, stop.signal, (request) => {
      if (seen.has(request)) return;
      seen.add(request);
      const task = (async () => script.see(await device.open(await device.get(request))))().catch(
        (error: unknown) => {
          if (!stop.signal.aborted) failures.push(error);
        },
      );
      work.add(task);
      void task.finally(() => work.delete(task));
    });
  }
  const guards: Guard[] = [];
  function another(more: Omit<GuardOptions, "connection"> = {}): Guard {
    const guard = createGuard({
      approvers,
      rosterStore: null,
      evidence: memoryEvidence(),
      ...rest,
      fetch: bench.fetch,
      ...more,
      connection: formatConnection(bench.connection),
    });
    guards.push(guard);
    return guard;
  }
  const guard = another({ evidence: given ?? evidence });

  async function close(): Promise<void> {
    stop.abort();
    await Promise.all(work);
    for (const each of guards) await each.close();
    await bench.close();
  }
  return {
    guard,
    evidence,
    bench,
    another,
    close,
    approver: {
      expect: script.expect,
      done() {
        if (failures.length > 0) throw new Error("The scripted approver failed.", { cause: failures[0] });
        script.done();
      },
    },
    [Symbol.asyncDispose]: close,
  };
}
