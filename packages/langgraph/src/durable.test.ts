// Real processes that are killed with SIGKILL, on hosts that share nothing but the connection and the checkpointer.
import { join } from "node:path";
import { expect, test } from "vitest";
import { directory, installation } from "./durable.fixture.ts";
import { postgres } from "./postgres.fixture.ts";
import type { Orders } from "./processes/run.ts";

const savers = { SQLite: async () => join(directory(), "threads.db"), PostgreSQL: postgres };

const cases: [Orders["shape"], keyof typeof savers][] = [
  ["guardMiddleware", "SQLite"],
  ["guardToolNode", "SQLite"],
  ["approvalNode", "SQLite"],
  ["guardMiddleware", "PostgreSQL"],
  ["guardToolNode", "PostgreSQL"],
];

test.for(cases)(
  "double-execution, decline-falls-through: %s over %s survives SIGKILL at every point",
  {
    timeout: 240_000,
  },
  async ([shape, kind], { skip }) => {
    const saver = await savers[kind]();
    if (saver === null) return skip("There is no PostgreSQL here, and only root can install it, on Debian.");
    const { start, open, approve, reject, effects, problemsIn } = await installation();
    const hosts = [directory(), directory(), directory()] as const;
    const process = (host: 0 | 1 | 2, orders: Omit<Orders, "shape" | "saver" | "directory" | "effects">) =>
      start({ shape, saver, directory: hosts[host], ...orders });

    // Four runs suspend, and the process is killed.
    const first = process(0, { role: "start", threads: ["1", "2", "3", "4"] });
    const said = await first.says({ 1: "suspended", 2: "suspended", 3: "suspended", 4: "suspended" });
    await first.kill();
    const requestOf = (thread: string) => said.get(thread)?.requests?.[0] ?? "";
    expect((await open()).map(({ request }) => request).toSorted()).toEqual(
      ["1", "2", "3", "4"].map(requestOf).toSorted(),
    );

    // They are answered while nothing runs.
    for (const thread of ["1", "3", "4"]) await approve(requestOf(thread));
    await reject(requestOf("2"), "not this year");
    expect(effects()).toEqual([]);

    // Another host has the connection and the checkpointer, and is killed while one tool runs and another has run.
    const second = process(1, { role: "resume", hang: { inTool: "3", storing: "4" } });
    const resumed = await second.says({ 1: "ended", 2: "ended", 3: "in the tool", 4: "before storing" });
    await second.kill();
    expect(resumed.get("1")?.texts).toContain("refunded 1");
    expect(resumed.get("2")?.texts).toContain("alice@example.com rejected refund: not this year");

    // A third one runs neither again, and says what is known.
    const third = process(2, { role: "resume" });
    const ended = await third.says({ 3: "ended", 4: "ended" });
    await third.kill();
    expect(ended.get("3")?.texts?.join()).toContain("nobody knows how it ended");
    expect(ended.get("4")?.texts?.join()).toContain("has run already");
    expect(effects()).toEqual(["1", "3", "4"]);
    for (const host of hosts) expect(await problemsIn(host)).toEqual([]);
  },
);
