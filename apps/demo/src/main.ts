/**
 * `pnpm demo`: a support agent, a relay and people who decide, each a process of its own, over a real SQLite
 * shop. The last line sums it up; the exit code is 1 where anything is not as it should be.
 *
 * `--headless` plays the script; `--keep DIR` leaves there the evidence, its checkpoints, and the roster to verify
 * them by (`roster.json`).
 *
 * Guarantees: everything else is kept in one temporary directory, which goes away, as do all processes, however
 * it ends.
 */
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  canonicalJson,
  ed25519Signer,
  formatConnection,
  formatInvitation,
  foundApp,
  type Owner,
  type Roster,
} from "@guard/core";
import { type Line, names, print, said, table } from "./output.ts";
import { type Child, type Report, type StartOptions, start } from "./processes.ts";
import { type Journal, type Reckoning, reckon } from "./reckon.ts";
import { alice, people } from "./story.ts";

const { values: flags } = parseArgs({
  options: { headless: { type: "boolean", default: false }, keep: { type: "string" } },
});
const live = !flags.headless && process.stdin.isTTY === true && process.stdout.isTTY === true;
const gateway = live && Boolean(process.env.AI_GATEWAY_API_KEY);
const model = gateway ? (process.env.GUARD_DEMO_MODEL ?? "openai/gpt-5-mini") : undefined;

const journal: Journal = { asked: [], answered: [], ended: [], said: new Map() };
const children: Child[] = [];
/** Whoever has the terminal prints. */
let screen: Child | null = null;
const stopped = Promise.withResolvers<never>();
stopped.promise.catch(() => {});

function stop(code: number): void {
  process.exitCode = code;
  stopped.reject(new Error("Stopped."));
}

function show(line: Line): void {
  if (screen) screen.tell({ kind: "line", line });
  else print(line);
}

function onReport(report: Report): void {
  if (report.kind === "line") show(report.line);
  else if (report.kind === "asked") journal.asked.push(report.asked);
  else if (report.kind === "answered") journal.answered.push(report.answer);
  else if (report.kind === "ended") journal.ended.push(report.call);
  else if (report.kind === "said") journal.said.set(report.ticket, report.text);
  else if (report.kind === "quit") stop(130);
}

function run(name: string, env: StartOptions["env"], terminal = false): Child {
  const child = start(name, { env, terminal, onReport });
  child.failed.catch((error: unknown) => stopped.reject(error));
  children.push(child);
  return child;
}

async function urlOf(child: Child): Promise<string> {
  return (await child.first("ready")).url as string;
}

/** Invites somebody; their process makes the keys, the owner confirms what it sent. */
async function enrol(owner: Owner, identity: string): Promise<string> {
  const invitation = await owner.invite({ identity });
  const terminal = live && identity === alice;
  const child = run(
    "approver",
    { DEMO_INVITATION: formatInvitation(invitation.invitation), DEMO_LIVE: terminal ? "1" : "0" },
    terminal,
  );
  const { fingerprint } = await child.first("ready");
  const device = await invitation.waitForDevice({ interval: 20 });
  if (device.fingerprint !== fingerprint) throw new Error(`The fingerprints of ${identity}'s device differ.`);
  await device.confirm();
  if (terminal) screen = child;
  return fingerprint;
}

async function play(directory: string): Promise<Reckoning> {
  const operatorToken = randomBytes(32).toString("base64url");
  const relay = run("relay", {
    DEMO_DATABASE: join(directory, "relay.db"),
    DEMO_OPERATOR_TOKEN: operatorToken,
  });
  const url = await urlOf(relay);
  const liar = run("lying-relay", { DEMO_RELAY: url });
  const signer = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: url, operatorToken, signer });
  introduce();
  for (const identity of people) {
    const fingerprint = await enrol(owner, identity);
    show(said(names([identity]), `device enrolled, fingerprint ${fingerprint}`, "dim"));
  }
  const shop = join(directory, "shop.db");
  const agent = run("agent", {
    GUARD_CONNECTION: formatConnection(await owner.addAgent("support")),
    DEMO_LYING_RELAY: await urlOf(liar),
    DEMO_DIRECTORY: join(directory, "agent"),
    DEMO_SHOP: shop,
    DEMO_LIVE: live ? "1" : "0",
    ...(model ? { DEMO_MODEL: model } : {}),
  });
  await agent.first("done");
  const roster: Roster = await owner.sync();
  await stopAll();
  const evidence = join(directory, "agent", "evidence");
  if (flags.keep !== undefined) await keep(flags.keep, evidence, roster);
  return reckon({ journal, shop, evidence, roster, scripted: !live });
}

/** Copies what somebody else needs in order to verify the evidence. */
async function keep(to: string, evidence: string, roster: Roster): Promise<void> {
  await mkdir(to, { recursive: true });
  const files = (await readdir(evidence)).filter((name) => /\.jsonl(\.checkpoint)?$/.test(name));
  for (const name of files) await copyFile(join(evidence, name), join(to, name));
  await writeFile(join(to, "roster.json"), `${canonicalJson(roster.entries)}\n`);
}

function introduce(): void {
  print({ text: "Guard demo: a support agent with real money, and people who decide.", tone: "title" });
  const who = live ? "you are Alice; Bob is scripted" : "scripted people";
  const words = model ? `the model is ${model}` : "scripted model";
  print({ text: `Agent, relay and people are processes of their own (${words}, ${who}).` });
  if (live && !model) print({ text: "With AI_GATEWAY_API_KEY set, a real model is used.", tone: "dim" });
  print({
    text: "Rules: look-ups and refunds up to 50 run; larger ones ask; above 5,000 two people; no deletions.",
  });
  print({ text: "" });
}

/** Stops in the reverse order, so that nobody talks to somebody who is gone. */
async function stopAll(): Promise<void> {
  for (const child of children.toReversed()) await child.stop();
  screen = null;
}

function conclude({ tally, rows, chain, evidence, forged, problems }: Reckoning): number {
  print({ text: "" });
  print({ text: "What was asked, who answered, what ran, and what the evidence proves", tone: "title" });
  for (const line of table(rows)) print(line);
  const { events, checkpoints, requests } = chain;
  print({ text: "" });
  print({
    text: `Evidence: ${events} events in one chain, ${requests.length} requests, ${checkpoints} signed checkpoints: ${evidence ? "verified" : "NOT verified"} by the roster.`,
    tone: evidence ? "good" : "danger",
  });
  for (const problem of problems) print({ text: `Wrong: ${problem}`, tone: "danger" });
  const { calls, allowed, approved, edited, rejected, denied, executed } = tally;
  const numbers = { calls, allowed, approved, edited, rejected, denied, executed };
  const words = Object.entries(numbers).map(([name, count]) => `${name}=${count}`);
  print({
    text: `demo: framework=vercel-ai ${words.join(" ")} forged=${forged} evidence=${evidence ? "ok" : "bad"}`,
  });
  return problems.length === 0 ? 0 : 1;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => stop(code));
}
const overdue = live
  ? undefined
  : setTimeout(() => stopped.reject(new Error("The demo took more than 60 s.")), 60_000);
const directory = await mkdtemp(join(tmpdir(), "guard-demo-"));
try {
  const played = play(directory);
  played.catch(() => {});
  process.exitCode = conclude(await Promise.race([played, stopped.promise]));
} catch (error) {
  await stopAll();
  process.exitCode ||= 1;
  print({ text: error instanceof Error ? error.message : String(error), tone: "danger" });
} finally {
  clearTimeout(overdue);
  await stopAll();
  await rm(directory, { recursive: true, force: true });
}
process.exit();
