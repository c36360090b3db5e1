/**
 * The stage: one relay, one that lies, and the people, each a process of its own, and the owner who made the app.
 * Every framework's agent comes on after the other.
 *
 * Guarantee: whoever fails ends the demo; `close` ends all processes.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ed25519Signer, formatInvitation, foundApp, type Owner } from "@guard/core";
import { type Line, names, print, said } from "./output.ts";
import { buildPage, offerPage } from "./page.ts";
import { type Child, type Order, type Report, type StartOptions, start } from "./processes.ts";
import { type Journal, newJournal } from "./reckon.ts";
import { alice, people } from "./story.ts";

export interface Stage {
  readonly owner: Owner;
  readonly lyingRelay: string;
  show(line: Line): void;
  /** What is reported goes into a new journal from now on. */
  follow(): Journal;
  run(name: string, env: StartOptions["env"]): Child;
  /** Resolves once that holds; looked at whenever somebody reports something. */
  until(holds: () => boolean): Promise<void>;
  /** Whether scripted people answer now. */
  answer(now: boolean): void;
  /** Ends all processes, in the reverse order, so that nobody talks to somebody who is gone. */
  close(): Promise<void>;
}

export interface StageOptions {
  readonly directory: string;
  /** Alice is at the terminal. */
  readonly live: boolean;
  /** Whether to open the page in a browser, where somebody is live. */
  readonly open: boolean;
  readonly suspend: boolean;
  readonly onFailed: (error: unknown) => void;
  readonly onQuit: () => void;
}

/** What is there before the relay: for whoever has to end the processes, however far it got. */
export interface Curtain {
  /** Everybody is there once this resolves. */
  readonly stage: Promise<Stage>;
  close(): Promise<void>;
}

export function openStage({ directory, live, open, suspend, onFailed, onQuit }: StageOptions): Curtain {
  const children: Child[] = [];
  const approvers: Child[] = [];
  let journal = newJournal();
  const early: Extract<Report, { kind: "answered" }>[] = [];
  /** Whoever has the terminal prints. */
  let screen: Child | null = null;
  let closed = false;
  const ending = new AbortController();
  const watching = new Set<() => void>();

  function show(line: Line): void {
    if (screen) screen.tell({ kind: "line", line });
    else print(line);
  }

  function onReport(report: Report, child: Child): void {
    if (report.kind === "line") show(report.line);
    else if (report.kind === "asked") asked(report);
    else if (report.kind === "answered") answered(report);
    else if (report.kind === "ended")
      journal.ended.set(`${report.call.callId} ${report.call.end}`, report.call);
    else if (report.kind === "said") journal.said.set(report.ticket, report.text);
    else if (report.kind === "halted") strike(child);
    else if (report.kind === "quit") onQuit();
    for (const look of watching) look();
  }

  function asked({ asked }: Extract<Report, { kind: "asked" }>): void {
    journal.asked.push(asked);
    for (const report of early.splice(0)) answered(report);
  }

  /** A person may be faster than the agent's own word that it asked. */
  function answered(report: Extract<Report, { kind: "answered" }>): void {
    const { answer, line } = report;
    if (!journal.asked.some(({ request }) => request === answer.request)) {
      early.push(report);
      return;
    }
    journal.answered.push(answer);
    if (line) show(line);
  }

  function strike(child: Child): void {
    journal.killed++;
    show(said("agent", "is killed with SIGKILL here", "danger"));
    child.kill().catch(onFailed);
  }

  function run(name: string, env: StartOptions["env"], terminal = false): Child {
    if (closed) throw new Error("The demo has ended.");
    const cache = { NODE_COMPILE_CACHE: join(directory, "compiled") };
    const child = start(name, { env: { ...cache, ...env }, terminal, onReport });
    child.failed.catch(onFailed);
    children.push(child);
    return child;
  }

  async function urlOf(child: Child): Promise<string> {
    return (await child.first("ready")).url as string;
  }

  /** Invites somebody; their process makes the keys, the owner confirms what it sent. */
  async function enrol(owner: Owner, identity: string): Promise<void> {
    const invitation = await owner.invite({ identity });
    const terminal = live && identity === alice;
    const env = {
      DEMO_INVITATION: formatInvitation(invitation.invitation),
      DEMO_LIVE: terminal ? "1" : "0",
      DEMO_SUSPEND: suspend ? "1" : "0",
    };
    const child = run("approver", env, terminal);
    approvers.push(child);
    const { fingerprint } = await child.first("ready");
    const device = await invitation.waitForDevice({ interval: 20 });
    if (device.fingerprint !== fingerprint)
      throw new Error(`The fingerprints of ${identity}'s device differ.`);
    await device.confirm();
    if (terminal) screen = child;
    show(said(names([identity]), `device enrolled, fingerprint ${fingerprint}`, "dim"));
  }

  async function set(): Promise<Stage> {
    if (live) await buildPage();
    const operatorToken = randomBytes(32).toString("base64url");
    const env = {
      DEMO_DATABASE: join(directory, "relay.db"),
      DEMO_OPERATOR_TOKEN: operatorToken,
      DEMO_LIVE: live ? "1" : "0",
    };
    const relay = await urlOf(run("relay", env));
    const liar = run("lying-relay", { DEMO_RELAY: relay });
    const owner = await foundApp({ relay, operatorToken, signer: await ed25519Signer(randomBytes(32)) });
    for (const identity of people) await enrol(owner, identity);
    if (live) await offerPage({ owner, identity: alice, open, signal: ending.signal, show });
    const tellAll = (order: Order) => {
      for (const child of approvers) child.tell(order);
    };
    return {
      owner,
      lyingRelay: await urlOf(liar),
      show,
      follow: () => (journal = newJournal()),
      run,
      until: (holds) =>
        new Promise((resolve) => {
          const look = () => {
            if (!holds()) return;
            watching.delete(look);
            resolve();
          };
          watching.add(look);
          look();
        }),
      answer: (now) => tellAll({ kind: "answer", now }),
      close,
    };
  }

  async function close(): Promise<void> {
    closed = true;
    ending.abort();
    for (const child of children.toReversed()) await child.stop();
    screen = null;
  }

  const stage = set();
  stage.catch(() => {}); // Whoever awaits it gets it.
  return { stage, close };
}
