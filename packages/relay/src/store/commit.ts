/**
 * Adaptive group commit: units of work that arrive while the event loop is busy share one transaction and one
 * fsync. Each runs in its own savepoint, so that one that throws takes nothing of the others with it.
 *
 * Guarantees: a unit is synchronous and sees what earlier units of its group wrote; its result, and what it
 * asked to happen `after`, come only after COMMIT (synchronous FULL), so acknowledged means durable.
 */
import type { DatabaseSync } from "node:sqlite";

/** What a unit of work gets beside its tables: callbacks for after the commit. */
export type After = (callback: () => void) => void;

interface Job {
  readonly run: (after: After) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Settled = { readonly job: Job; readonly after: readonly (() => void)[] } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown }
);

export interface Committer {
  /** Runs a unit in the next group. */
  write<T>(unit: (after: After) => T): Promise<T>;
  /** Runs a unit in a transaction of its own, at once. */
  now<T>(unit: (after: After) => T): T;
  /** Resolves when nothing is queued. */
  idle(): Promise<void>;
}

export function committer(db: DatabaseSync): Committer {
  let queue: Job[] = [];
  let armed = false;
  let waiting: (() => void)[] = [];

  function runGroup(group: readonly Job[]): Settled[] {
    const settled: Settled[] = [];
    db.exec("BEGIN IMMEDIATE");
    try {
      for (const job of group) settled.push(runOne(job));
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
    return settled;
  }

  function runOne(job: Job): Settled {
    const after: (() => void)[] = [];
    db.exec("SAVEPOINT unit");
    try {
      const value = job.run((callback) => after.push(callback));
      db.exec("RELEASE unit");
      return { job, ok: true, value, after };
    } catch (error) {
      // An error that ended the whole transaction (disk full, I/O) concerns all of the group.
      if (!db.isTransaction) throw error;
      db.exec("ROLLBACK TO unit");
      db.exec("RELEASE unit");
      return { job, ok: false, error, after: [] };
    }
  }

  function settle(settled: readonly Settled[]): void {
    for (const { after } of settled) for (const callback of after) callback();
    for (const one of settled) {
      if (one.ok) one.job.resolve(one.value);
      else one.job.reject(one.error);
    }
  }

  function flush(): void {
    armed = false;
    const group = queue;
    queue = [];
    try {
      settle(runGroup(group));
    } catch (error) {
      for (const job of group) job.reject(error);
    }
    if (queue.length === 0) {
      for (const resolve of waiting) resolve();
      waiting = [];
    }
  }

  return {
    write: (run) =>
      new Promise((resolve, reject) => {
        queue.push({ run, resolve: resolve as (value: unknown) => void, reject });
        if (!armed) {
          armed = true;
          setImmediate(flush);
        }
      }),
    now(run) {
      let result: ReturnType<typeof run> | undefined;
      let failure: { error: unknown } | undefined;
      const resolve = (value: unknown) => {
        result = value as ReturnType<typeof run>;
      };
      const reject = (error: unknown) => {
        failure = { error };
      };
      settle(runGroup([{ run, resolve, reject }]));
      if (failure) throw failure.error;
      return result as ReturnType<typeof run>;
    },
    idle: () => (armed ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
  };
}
