import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readOptions } from "./options.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "demo-test-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

interface Run {
  readonly process: ChildProcessWithoutNullStreams;
  readonly out: () => string;
  readonly err: () => string;
  /** The exit code, once nobody holds the output any more: no child is left either. */
  readonly ended: Promise<number | null>;
}

function demo(...options: string[]): Run {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@guard/source", main, "--headless", ...options], {
    env: { ...process.env, TMPDIR: directory, NODE_OPTIONS: "" },
    // A group of its own, as in a terminal: Ctrl-C reaches all of it.
    detached: true,
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { process: child, out: () => out, err: () => err, ended };
}

test("forged-outcome: the demo runs what people signed, and nothing that the relay made up", async () => {
  const run = demo();
  expect(await run.ended, run.out() + run.err()).toBe(0);
  const lines = run.out().trimEnd().split("\n");
  expect(lines.at(-1)).toBe(
    "demo: framework=vercel-ai calls=14 allowed=6 approved=4 edited=1 rejected=1 denied=1 executed=11 forged=refused evidence=ok",
  );
  expect(run.out()).toContain("refused (verification_failed)");
  expect(run.out()).toContain("rejected refund: Returns end after 30 days");
  expect(run.out()).not.toContain("\u001b");
  expect(run.err()).not.toMatch(/error/i);
  expect(await readdir(directory)).toEqual([]);
}, 90_000);

test("an agent that exits while people decide, and is killed when it goes on, ends the same", async () => {
  const run = demo("--framework", "langgraph", "--suspend");
  expect(await run.ended, run.out() + run.err()).toBe(0);
  const lines = run.out().trimEnd().split("\n");
  expect(lines.at(-1)).toBe(
    "demo: framework=langgraph mode=suspend killed=1 calls=14 allowed=6 approved=4 edited=1 rejected=1 denied=1 executed=11 forged=refused evidence=ok",
  );
  const at = (text: string) => lines.findIndex((line) => line.includes(text));
  expect(at("waiting for alice and bob; this process exits now")).toBeLessThan(at("alice  approves"));
  expect(at("alice  rejects")).toBeLessThan(at("guard  ran refund 1003: 90"));
  expect(at("killed with SIGKILL")).toBeLessThan(at("guard  ran refund 1003: 90"));
  expect(run.err()).not.toMatch(/error/i);
  expect(await readdir(directory)).toEqual([]);
}, 90_000);

test("the options: what there is, and what there is not", async () => {
  expect(readOptions([])).toMatchObject({ frameworks: ["vercel-ai"], suspend: false, headless: false });
  expect(readOptions(["--framework", "all"])).toMatchObject({
    frameworks: ["vercel-ai", "langgraph", "mastra"],
  });
  expect(readOptions(["--help", "--suspend"])).toBeNull();
  expect(() => readOptions(["--framework", "langchain"])).toThrow("one of vercel-ai, langgraph, mastra, all");
  const run = demo("--suspended");
  expect(await run.ended).toBe(2);
  expect(run.err()).toContain("'--suspended'");
  expect(run.err()).toContain("--suspend         the agent's process exits");
  expect(run.out()).toBe("");
}, 90_000);

test("a demo that is stopped leaves no process and no file behind", async () => {
  const run = demo();
  while (!run.out().includes("#2")) await once(run.process.stdout, "data");
  run.process.kill("SIGINT");
  expect(await run.ended).toBe(130);
  expect(run.out()).not.toContain("demo: framework");
  expect(await readdir(directory)).toEqual([]);
}, 90_000);

test.each([
  ["processes start", "Agent, relay and people"],
  ["people enrol", "device enrolled"],
])(
  "Ctrl-C while %s ends the demo quietly",
  async (_when, seen) => {
    const run = demo();
    while (!run.out().includes(seen)) await once(run.process.stdout, "data");
    process.kill(-(run.process.pid as number), "SIGINT");
    expect(await run.ended).toBe(130);
    expect(run.err()).toBe("");
    expect(await readdir(directory)).toEqual([]);
  },
  90_000,
);
