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
import type { RelayPage } from "@guard/relay";
import type { Command } from "commander";
import type { Dev, DevPage } from "../dev.ts";
import { openBrowser } from "../page-link.ts";
import { interactive, print, remark } from "../terminal.ts";
import { detailLines, type Line } from "../words.ts";
import { collect, homeOf } from "./context.ts";

export function addDev(program: Command): void {
  program
    .command("dev")
    .argument("[command...]", "what to run with GUARD_CONNECTION set, after --")
    .description("try Guard here: a relay, an agent, and you as the approver, in one terminal")
    .option("--as <identity>", "decide for these people only (may be given several times)", collect)
    .option("--no-open", "do not open the page in a browser")
    .addHelpText(
      "after",
      `
State is kept in .guard/dev, the root key in the clear: for development only.

It serves the page too. On a phone browsers make keys over https only: docs/page.md says how. Another browser of
this machine enrols with "guard invite PERSON --page http://localhost:PORT --home .guard/dev".

Examples:
  guard dev -- node agent.ts
  guard dev --as alice@example.com -- npm start`,
    )
    .action(
      async (
        argv: readonly string[],
        options: { as?: readonly string[]; open: boolean },
        command: Command,
      ) => {
        const directory = join(homeOf(command).directory, "dev");
        const only = (options.as ?? []).map(normaliseIdentity);
        process.exitCode = await (interactive() ? live : plain)({
          directory,
          only,
          argv,
          open: options.open,
        });
      },
    );
}

interface Run {
  readonly directory: string;
  readonly only: readonly string[];
  readonly argv: readonly string[];
  /** Whether to open the page. */
  readonly open: boolean;
}

const greeting = (dev: Dev): readonly string[] => [
  `Relay at ${dev.url} (for development only: its root key is kept in the clear)`,
  `Evidence in ${dev.evidence}`,
  "The page of this relay is as trusted as the relay. A phone needs https for it: see guard dev --help.",
];

/** What is said when somebody's address is there; the first one may be opened. */
function pages(
  page: RelayPage,
  { inbox, say, open }: { inbox: Inbox; say: (text: string) => void; open: boolean },
): DevPage {
  let opened = !open;
  return {
    page,
    onRemark: say,
    onEnrolled(identity) {
      say(`${visible(identity)} decides on the page too, from the next request on.`);
      const before = inbox.items().filter((item) => item.identity === identity).length;
      // Sealed to the devices that there were: the page cannot show it, and should not be waited for.
      if (before > 0) say(askedBefore(before));
    },
    onAddress(identity, address) {
      say(`In a browser, ${visible(identity)} decides at ${address}`);
      if (opened) return;
      opened = true;
      void openBrowser(address, say);
    },
  };
}

const askedBefore = (count: number) =>
  count === 1
    ? "One request was asked before that page was enrolled, and is not shown there: decide it here, or ask again."
    : `${count} requests were asked before that page was enrolled, and are not shown there: decide them here, or ask again.`;

/** With a terminal: ask in it. */
async function live({ directory, only, argv, open }: Run): Promise<number> {
  const [{ startDev }, { startScreen }, { readPage }] = await Promise.all([
    import("../dev.ts"),
    import("../screen/live.ts"),
    import("@guard/approver"),
  ]);
  const early: Line[] = [];
  let show: (line: Line) => void = (line) => early.push(line);
  const dim = (text: string) => show({ text, tone: "dim" });
  let redraw = () => {};
  const inbox = createInbox({
    onChange: () => redraw(),
    onRemark: (text) => show({ text, tone: "warning" }),
  });
  const dev = await startDev({
    directory,
    only,
    onDevice: announcing(inbox, dim),
    page: pages(await readPage(), { inbox, say: dim, open }),
  });
  for (const text of [...greeting(dev), ...early.map((line) => line.text)]) print(text);
  const screen = startScreen({ inbox, autoOpen: true });
  show = screen.line;
  redraw = screen.controller.changed;
  redraw();
  try {
    return await runChild(dev, argv, {
      line: (text, error) => show(error ? { text, tone: "warning" } : { text }),
      // As Ctrl-C everywhere: in the screen it is a key like any other.
      stop: screen.quit.then(() => 128 + constants.signals.SIGINT),
    });
  } finally {
    inbox.close();
    screen.close();
    await dev.close();
  }
}

/** Without one: print, and decide nothing. */
async function plain({ directory, only, argv }: Run): Promise<number> {
  const [{ startDev }, { readPage }] = await Promise.all([import("../dev.ts"), import("@guard/approver")]);
  const say = (text: string) => remark(`guard: ${text}`);
  const stop = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => resolve(128 + constants.signals[signal]));
  });
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
    onRemark: say,
  });
  const dev = await startDev({
    directory,
    only,
    onDevice: announcing(inbox, say),
    page: pages(await readPage(), { inbox, say, open: false }),
  });
  for (const text of greeting(dev)) say(text);
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

/** Runs the command until it ends; resolves to its exit code, or to that of `stop` where that was first. */
async function runChild(
  dev: Dev,
  argv: readonly string[],
  { line, stop }: { line: (text: string, error: boolean) => void; stop: Promise<number> },
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
  let stopped: number | null = null;
  void stop.then((code) => {
    stopped = code;
    end(child);
  });
  const ended = await exitOf(child, file, (text) => line(text, true));
  return stopped ?? ended;
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
