/**
 * Child processes that end with the demo: each is a module of this folder, talks over Node's IPC channel, and
 * exits by itself when that channel closes, so that not even a killed parent leaves one behind.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Line } from "./output.ts";
import type { ScriptedCall } from "./story.ts";

/** How one call of the agent ended. */
export interface CallEnd {
  readonly callId: string;
  readonly tool: string;
  readonly args: ScriptedCall["args"];
  /** `ran`, or the code of the GuardError that stopped it. */
  readonly end: string;
  readonly message: string;
}

/** A request as the agent's guard posted it. */
export interface AskedRequest {
  readonly request: string;
  readonly callId: string;
  readonly call: ScriptedCall;
  readonly quorum: number;
}

/** An answer as its signer gave it. */
export interface GivenAnswer {
  readonly request: string;
  readonly tool: string;
  readonly identity: string;
  readonly decision: "approve" | "reject";
  readonly reason: string | null;
  /** The arguments that may run by this answer. Null where the page changed them: it told the agent alone. */
  readonly args: ScriptedCall["args"] | null;
  readonly edited: boolean;
}

/** What a child says to the parent. */
export type Report =
  | { readonly kind: "line"; readonly line: Line }
  | { readonly kind: "ready"; readonly url?: string; readonly fingerprint?: string }
  | { readonly kind: "asked"; readonly asked: AskedRequest }
  | { readonly kind: "answered"; readonly answer: GivenAnswer; readonly line: Line | null }
  | { readonly kind: "ended"; readonly call: CallEnd }
  | { readonly kind: "said"; readonly ticket: string; readonly text: string }
  /** Stands still, about to go on with this ticket, until it is killed. */
  | { readonly kind: "halted"; readonly ticket: string }
  | { readonly kind: "quit" }
  | { readonly kind: "done" };

/** What the parent says to a child. */
export type Order =
  | { readonly kind: "line"; readonly line: Line }
  /** Whether scripted people answer now. They do until they are told otherwise. */
  | { readonly kind: "answer"; readonly now: boolean }
  | { readonly kind: "stop" };

export interface Child {
  /** Resolves with the first report of that kind. Rejects where the child ends before. */
  first<K extends Report["kind"]>(kind: K): Promise<Extract<Report, { kind: K }>>;
  tell(order: Order): void;
  /** Resolves once it has ended by itself, as it should. Rejects where it failed. */
  ended(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Asks the child to end, then makes it. */
  stop(): Promise<void>;
  /** Rejects when the child ends without having been told to. */
  readonly failed: Promise<never>;
}

export interface StartOptions {
  readonly env: { readonly [name: string]: string };
  /** Gives the child the terminal. */
  readonly terminal?: boolean;
  readonly onReport: (report: Report, child: Child) => void;
}

/** Starts `NAME.ts` of this folder. */
export function start(name: string, { env, terminal = false, onReport }: StartOptions): Child {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const process_: ChildProcess = fork(file, {
    env: { ...process.env, ...env },
    // Node 22 says of type stripping and node:sqlite that they are experimental.
    execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
    stdio: [terminal ? "inherit" : "ignore", "inherit", "inherit", "ipc"],
  });
  // The channel may have reports yet when the process is gone.
  const exited = Promise.all([once(process_, "exit"), once(process_, "disconnect")]).then(
    ([[code, signal]]) => signal ?? code,
  );
  const reports: Report[] = [];
  const waiting = new Set<() => void>();
  // How it may end: an exit code or a signal.
  let expected: unknown[] = [];
  process_.on("message", (report: Report) => {
    reports.push(report);
    onReport(report, child);
    for (const wake of waiting) wake();
  });
  const failed = exited.then((how: unknown): Promise<never> => {
    if (expected.includes(how)) return new Promise(() => {});
    throw new Error(`The process "${name}" ended by itself (${String(how)}).`);
  });
  failed.catch(() => {});
  const end = (...how: unknown[]) => {
    expected = how;
    return Promise.race([exited.then(() => {}), failed]);
  };

  const child: Child = {
    failed,
    first: (kind) => {
      type Wanted = Extract<Report, { kind: typeof kind }>;
      const found = new Promise<Wanted>((resolve) => {
        const look = () => {
          const report = reports.find((candidate): candidate is Wanted => candidate.kind === kind);
          if (!report) return;
          waiting.delete(look);
          resolve(report);
        };
        waiting.add(look);
        look();
      });
      return Promise.race([found, failed]);
    },
    tell(order) {
      // One that goes away meanwhile needs no order any more.
      if (process_.connected) process_.send(order, () => {});
    },
    ended: () => end(0, ...expected),
    async kill() {
      process_.kill("SIGKILL");
      await end("SIGKILL");
    },
    async stop() {
      if (process_.exitCode !== null || process_.signalCode !== null) return;
      child.tell({ kind: "stop" });
      const force = setTimeout(() => process_.kill("SIGKILL"), 3000);
      // However it ends: Ctrl-C reaches it too, before it listens for that.
      await exited;
      clearTimeout(force);
    },
  };
  return child;
}

/** The child's end of the channel. */
export function parent(): {
  report(report: Report): void;
  /** Aborts when this process is to end. */
  readonly signal: AbortSignal;
  onLine(print: (line: Line) => void): void;
  onAnswer(answer: (now: boolean) => void): void;
  /** Ends this process once the parent has all reports. */
  leave(): Promise<never>;
} {
  const stop = new AbortController();
  // Lines may come before there is a screen.
  const early: Line[] = [];
  let print = (line: Line): void => {
    early.push(line);
  };
  let answer = (_now: boolean): void => {};
  process.on("message", (order: Order) => {
    if (order.kind === "stop") stop.abort();
    else if (order.kind === "answer") answer(order.now);
    else print(order.line);
  });
  process.once("disconnect", () => process.exit(1));
  // The terminal sends Ctrl-C to everybody: the parent decides what it means.
  process.on("SIGINT", () => {});
  return {
    report: (report) => void process.send?.(report),
    signal: stop.signal,
    onLine(handler) {
      print = handler;
      for (const line of early.splice(0)) handler(line);
    },
    onAnswer(handler) {
      answer = handler;
    },
    async leave() {
      await new Promise<void>((sent) => {
        const last: Report = { kind: "done" };
        process.send?.(last, undefined, undefined, () => sent());
      });
      process.exit(0);
    },
  };
}

/** An environment variable that the parent sets. */
export function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing: start the demo with "pnpm demo".`);
  return value;
}
