/**
 * `guard dev -- COMMAND`: tries Guard with nothing set up. The command's lines scroll above, what it asks
 * waits below. Without a terminal nothing is decided: requests are printed, and how to answer them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { normaliseIdentity } from "@guard/core";
import { createInbox, type Device, type Inbox, visible } from "@guard/device";
import type { Command } from "commander";
import type { Dev } from "../dev.ts";
import { interactive, remark } from "../terminal.ts";
import { detailLines, type Line } from "../words.ts";
import { collect, homeOf } from "./context.ts";

export function addDev(program: Command): void {
  program
    .command("dev")
    .argument("[command...]", "what to run with GUARD_CONNECTION set, after --")
    .description("try Guard here: a relay, an agent, and you as the approver, in one terminal")
    .option("--as <identity>", "decide for these people only (may be given several times)", collect)
    .addHelpText(
      "after",
      `
State is kept in .guard/dev, the root key in the clear: for development only.

Examples:
  guard dev -- node agent.ts
  guard dev --as alice@example.com -- npm start`,
    )
    .action(async (argv: readonly string[], options: { as?: readonly string[] }, command: Command) => {
      const directory = join(homeOf(command).directory, "dev");
      const only = (options.as ?? []).map(normaliseIdentity);
      process.exitCode = await (interactive() ? live : plain)({ directory, only, argv });
    });
}

interface Run {
  readonly directory: string;
  readonly only: readonly string[];
  readonly argv: readonly string[];
}

const greeting = (dev: Dev): readonly string[] => [
  `Relay at ${dev.url} (for development only: its root key is kept in the clear)`,
  `Evidence in ${dev.evidence}`,
];

/** With a terminal: ask in it. */
async function live({ directory, only, argv }: Run): Promise<number> {
  const [{ startDev }, { startScreen }] = await Promise.all([
    import("../dev.ts"),
    import("../screen/live.ts"),
  ]);
  const early: Line[] = [];
  let show: (line: Line) => void = (line) => early.push(line);
  let redraw = () => {};
  const inbox = createInbox({
    onChange: () => redraw(),
    onRemark: (text) => show({ text, tone: "warning" }),
  });
  const dev = await startDev({
    directory,
    only,
    onDevice: announcing(inbox, (text) => show({ text, tone: "dim" })),
  });
  const screen = startScreen({ inbox, autoOpen: true });
  show = screen.line;
  redraw = screen.controller.changed;
  for (const text of greeting(dev)) show({ text, tone: "dim" });
  for (const line of early) show(line);
  redraw();
  try {
    return await runChild(dev, argv, {
      line: (text, error) => show(error ? { text, tone: "warning" } : { text }),
      stop: screen.quit,
    });
  } finally {
    inbox.close();
    screen.close();
    await dev.close();
  }
}

/** Without one: print, and decide nothing. */
async function plain({ directory, only, argv }: Run): Promise<number> {
  const { startDev } = await import("../dev.ts");
  const printed = new Set<string>();
  const inbox = createInbox({
    onChange: () => {
      for (const { opened, identity } of inbox.items()) {
        if (printed.has(opened.request)) continue;
        printed.add(opened.request);
        for (const { text } of detailLines(opened, identity, Date.now())) remark(`guard: ${text}`);
        const how = `guard inbox approve ${opened.request.slice(0, 8)} --as ${visible(identity)} --yes --home ${visible(directory)}`;
        remark(`guard: no terminal to ask in. From another one: ${how}`);
      }
    },
    onRemark: (text) => remark(`guard: ${text}`),
  });
  const dev = await startDev({
    directory,
    only,
    onDevice: announcing(inbox, (text) => remark(`guard: ${text}`)),
  });
  for (const text of greeting(dev)) remark(`guard: ${text}`);
  const stop = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  try {
    return await runChild(dev, argv, {
      line: (text, error) => (error ? process.stderr : process.stdout).write(`${text}\n`),
      stop,
    });
  } finally {
    inbox.close();
    await dev.close();
  }
}

function announcing(inbox: Inbox, say: (text: string) => void): (device: Device) => void {
  return (device) => {
    inbox.add(device);
    say(`${visible(device.profile.identity)} decides here.`);
  };
}

/** Runs the command until it ends or `stop` resolves; resolves to its exit code. */
async function runChild(
  dev: Dev,
  argv: readonly string[],
  { line, stop }: { line: (text: string, error: boolean) => void; stop: Promise<void> },
): Promise<number> {
  const [file, ...args] = argv;
  if (file === undefined) {
    line(`GUARD_CONNECTION=${dev.connection}`, false);
    await stop;
    return 0;
  }
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, GUARD_CONNECTION: dev.connection },
  });
  // What an agent prints may hold what a model wrote: no escape of it reaches the terminal (terminal-escape).
  const follow = (stream: NodeJS.ReadableStream, error: boolean) =>
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (text) =>
      line(visible(text, { layout: true }), error),
    );
  follow(child.stdout, false);
  follow(child.stderr, true);
  const ended = exitOf(child, file, (text) => line(text, true));
  void stop.then(() => end(child));
  return ended;
}

function exitOf(child: ChildProcess, file: string, say: (text: string) => void): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      say(`${visible(file)} could not be started: ${visible(error.message)}`);
      resolve(1);
    });
    // "close", not "exit": its last lines are read by then.
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

/** Asks the child to end, and ends it after 5 s. */
function end(child: ChildProcess): void {
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
}
