// Runs test files inside a worker, one a request (`?file=…`), with vitest's own runner: the files' describe, it and
// expect are vitest's. What vitest's pools set up around the runner in Node is here as little as it needs.

import { files } from "virtual:test-files";
import { startTests } from "vitest/internal/browser";

interface Task {
  readonly name: string;
  readonly type: string;
  readonly mode: string;
  readonly tasks?: readonly Task[];
  readonly result?: {
    readonly state: string;
    readonly errors?: readonly { message: string; stack?: string }[];
  };
}

const config = {
  root: "/",
  name: "core in workerd",
  sequence: { concurrent: false, hooks: "stack", shuffle: false, seed: 0, setupFiles: "list" },
  setupFiles: [],
  testTimeout: 20_000,
  hookTimeout: 20_000,
  maxConcurrency: 1,
  retry: 0,
  expect: {},
  chaiConfig: {},
  fakeTimers: {},
  experimental: {},
  tags: [],
  includeTaskLocation: false,
};

/** How every test of a file ended. */
function results(task: Task, path: readonly string[]): { name: string; state: string; errors: string[] }[] {
  const errors = (task.result?.errors ?? []).map(({ message, stack }) => stack ?? message);
  const name = [...path, task.name];
  const own = { name: name.join(" > "), state: task.result?.state ?? task.mode, errors };
  const within = (task.tasks ?? []).flatMap((child) => results(child, name));
  return task.type === "test" || errors.length > 0 ? [own, ...within] : within;
}

export default {
  async fetch(request: Request): Promise<Response> {
    const file = new URL(request.url).searchParams.get("file") ?? "";
    const state = {
      config,
      ctx: { pool: "worker" },
      environment: { name: "worker" },
      providedContext: {},
      onCleanup() {},
    };
    Object.assign(globalThis, { __vitest_worker__: state });
    const runner = { config, importFile: () => files[file]?.() };
    const [ran] = await startTests([file], runner as never);
    return Response.json(results(ran as unknown as Task, []));
  },
};
