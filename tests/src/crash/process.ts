/**
 * One life of a role, from its start to its end: as a process, where a fault is to strike it, or inside of this
 * program, which is cheaper. Nothing outlives the program that started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./bundle.ts";
import type { Role } from "./plan.ts";
import { agent } from "./roles/agent.ts";
import { device } from "./roles/device.ts";
import type { Orders, Play } from "./roles/orders.ts";
import { relay } from "./roles/relay.ts";

/** How a life ended, and whether it was made to. */
export interface Exit {
  readonly name: string;
  readonly role: Role;
  readonly code: number | null;
  readonly signal: string | null;
  /** What was done to it from outside. */
  readonly by: "itself" | "kill" | "end";
}

export interface Process {
  /** Resolves when it has begun, or has ended before that. */
  readonly begun: Promise<void>;
  readonly ended: Promise<Exit>;
  /** SIGKILL; only for processes. */
  kill(): void;
  /** Ends it because the story is over. A device is asked to end, so that ending well is tried too. */
  end(): void;
}

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

export function startProcess(options: {
  readonly program: Program;
  readonly role: Role;
  readonly orders: Orders;
  /** Directory for what it says on stderr. */
  readonly logs: string;
  /** Largest file that it may write, KiB (`ulimit -f`). */
  readonly largestFile: number | null;
}): Process {
  const { program, role, orders, logs, largestFile } = options;
  const { name } = orders;
  mkdirSync(logs, { recursive: true });
  const log = openSync(join(logs, `${name}.err`), "a");
  const node = [process.execPath, program.file, role, JSON.stringify(orders)];
  // The shell ignores SIGXFSZ for its child, so that a write past the limit fails instead of ending the process.
  const [file, ...args] =
    largestFile === null
      ? node
      : ["/bin/sh", "-c", `trap '' XFSZ; ulimit -f ${largestFile * 2}; exec "$0" "$@"`, ...node];
  const child = spawn(file as string, args, { env: program.env, stdio: ["ignore", "pipe", log] });
  closeSync(log);
  alive.add(child);
  let by: Exit["by"] = "itself";
  const ended = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      alive.delete(child);
      resolve({ name, role, code, signal, by });
    });
  });
  const said = new Promise<void>((resolve) => child.stdout?.once("data", () => resolve()));
  return {
    begun: Promise.race([said, ended.then(() => undefined)]),
    ended,
    kill() {
      by = "kill";
      child.kill("SIGKILL");
    },
    end() {
      by = "end";
      child.kill(role === "device" ? "SIGTERM" : "SIGKILL");
    },
  };
}

const plays: Readonly<Record<Role, Play>> = { agent, device, relay };

/** The same inside of this program. */
export function hostProcess(role: Role, orders: Orders): Process {
  const over = new AbortController();
  const begun = Promise.withResolvers<void>();
  let by: Exit["by"] = "itself";
  const ended = plays[role](orders, { begun: begun.resolve, over: over.signal }).then((code): Exit => {
    return { name: orders.name, role, code, signal: null, by };
  });
  return {
    begun: Promise.race([begun.promise, ended.then(() => undefined)]),
    ended,
    kill() {
      throw new Error(`${orders.name} is no process, and cannot be killed.`);
    },
    end() {
      by = "end";
      over.abort();
    },
  };
}
