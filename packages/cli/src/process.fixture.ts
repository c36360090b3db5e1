// The command as processes of their own, each test in a directory of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

export const main = new URL("./main.ts", import.meta.url).pathname;
export let directory: string;
let children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "guard-cli-"));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `guard` as a process of its own, in `directory`; `until` resolves with a match in what it printed so far. */
export function guard(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--conditions=@guard/source", main, ...args], {
    cwd: directory,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      GUARD_PASSPHRASE: "a passphrase",
      GUARD_OPERATOR_TOKEN: "operator-token-1234567890",
      ...env,
    },
  });
  children.push(child);
  let [out, err] = ["", ""];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  child.stdout.on("data", (data) => {
    out += data;
    wake();
  });
  child.stderr.on("data", (data) => {
    err += data;
    wake();
  });
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, out, err })));
  return {
    child,
    ended,
    until: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(out + err);
          if (match) resolve(match);
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`ended without ${pattern}:\n${out}\n${err}`)));
      }),
  };
}

export const run = (args: readonly string[], env?: Record<string, string>) => guard(args, env).ended;

export async function served() {
  const relay = guard(["serve", "--port", "0", "--database", "relay/relay.db"]);
  const url = (await relay.until(/Relay at (\S+)/))[1] as string;
  return { relay, url };
}
