/**
 * `pnpm demo`: a support agent, a relay and people who decide, each a process of its own, over a real SQLite
 * shop, told with each framework that is asked for. The last lines sum it up, one a framework; the exit code is 1
 * where anything is not as it should be.
 *
 * Guarantees: everything is kept in one temporary directory, which goes away, as do all processes, however
 * it ends.
 */
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson, type Roster } from "@guard/core";
import { type Framework, type Options, readOptions, usage } from "./options.ts";
import { type Line, print, table } from "./output.ts";
import { play } from "./play.ts";
import type { Reckoning } from "./reckon.ts";
import { openStage } from "./stage.ts";

/** The options; null where there is nothing to play. */
function options(): Options | null {
  try {
    const read = readOptions(process.argv.slice(2));
    if (!read) print({ text: usage });
    return read;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
    process.exitCode = 2;
    return null;
  }
}

/** Copies what somebody else needs in order to verify the evidence. */
async function keep(to: string, evidence: readonly string[], roster: Roster): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const from of evidence) {
    const files = (await readdir(from)).filter((name) => /\.jsonl(\.checkpoint)?$/.test(name));
    for (const name of files) await copyFile(join(from, name), join(to, name));
  }
  await writeFile(join(to, "roster.json"), `${canonicalJson(roster.entries)}\n`);
}

function introduce({ suspend }: Options, live: boolean, model: string | undefined): void {
  print({ text: "Guard demo: a support agent with real money, and people who decide.", tone: "title" });
  const who = live ? "you are Alice; Bob is scripted" : "scripted people";
  const words = model ? `the model is ${model}` : "scripted model";
  print({ text: `Agent, relay and people are processes of their own (${words}, ${who}).` });
  if (live && !model) print({ text: "With AI_GATEWAY_API_KEY set, a real model is used.", tone: "dim" });
  print({
    text: "Rules: look-ups and refunds up to 50 run; larger ones ask; above 5,000 two people; no deletions.",
  });
  if (suspend)
    print({ text: "The agent's process does not wait for people: it exits, and another one goes on." });
  print({ text: "" });
}

function conclusion({ rows, chain, evidence, problems }: Reckoning): readonly Line[] {
  const { events, checkpoints, requests } = chain;
  return [
    { text: "" },
    { text: "What was asked, who answered, what ran, and what the evidence proves", tone: "title" },
    ...table(rows),
    { text: "" },
    {
      text: `Evidence: ${events} events in one chain, ${requests.length} requests, ${checkpoints} signed checkpoints: ${evidence ? "verified" : "NOT verified"} by the roster.`,
      tone: evidence ? "good" : "danger",
    },
    ...problems.map((problem): Line => ({ text: `Wrong: ${problem}`, tone: "danger" })),
  ];
}

/** The line that sums one framework's run up. */
function summary(
  framework: Framework,
  { tally, killed, forged, evidence }: Reckoning,
  suspend: boolean,
): string {
  const { calls, allowed, approved, edited, rejected, denied, executed } = tally;
  const words = Object.entries({
    framework,
    ...(suspend ? { mode: "suspend", killed } : {}),
    ...{ calls, allowed, approved, edited, rejected, denied, executed, forged },
    evidence: evidence ? "ok" : "bad",
  });
  return `demo: ${words.map(([name, value]) => `${name}=${value}`).join(" ")}`;
}

async function demo(options: Options): Promise<void> {
  const { frameworks, suspend } = options;
  const live = !options.headless && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const gateway = live && frameworks.join() === "vercel-ai" && Boolean(process.env.AI_GATEWAY_API_KEY);
  const model = gateway ? (process.env.GUARD_DEMO_MODEL ?? "openai/gpt-5-mini") : undefined;
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  const stop = (code: number) => {
    process.exitCode = code;
    stopped.reject(new Error("Stopped."));
  };
  process.on("SIGINT", () => stop(130));
  process.on("SIGTERM", () => stop(143));
  process.on("SIGHUP", () => stop(129));

  const directory = await mkdtemp(join(tmpdir(), "guard-demo-"));
  const homeOf = (framework: Framework) => join(directory, framework);
  introduce(options, live, model);
  const curtain = openStage({
    directory,
    live,
    open: options.open,
    suspend,
    onFailed: stopped.reject,
    onQuit: () => stop(130),
  });
  const limit = 60 + 15 * (frameworks.length - 1);
  const overdue = live
    ? undefined
    : setTimeout(() => stopped.reject(new Error(`The demo took more than ${limit} s.`)), limit * 1000);

  async function story(): Promise<readonly (readonly [Framework, Reckoning])[]> {
    const stage = await curtain.stage;
    const told: [Framework, Reckoning][] = [];
    for (const framework of frameworks) {
      if (frameworks.length > 1) {
        stage.show({ text: "" });
        stage.show({ text: `── ${framework} ${"─".repeat(100 - framework.length)}`, tone: "title" });
      }
      const reckoning = await play(stage, { framework, suspend, live, model, directory: homeOf(framework) });
      for (const line of conclusion(reckoning)) stage.show(line);
      told.push([framework, reckoning]);
    }
    if (options.keep !== undefined) {
      const evidence = frameworks.map((framework) => join(homeOf(framework), "evidence"));
      await keep(options.keep, evidence, await stage.owner.sync());
    }
    return told;
  }

  try {
    const telling = story();
    telling.catch(() => {});
    const told = await Promise.race([telling, stopped.promise]);
    await curtain.close();
    if (told.length > 1) print({ text: "" });
    for (const [framework, reckoning] of told) print({ text: summary(framework, reckoning, suspend) });
    process.exitCode = told.every(([, { problems }]) => problems.length === 0) ? 0 : 1;
  } catch (error) {
    await curtain.close();
    process.exitCode ||= 1;
    print({ text: error instanceof Error ? error.message : String(error), tone: "danger" });
  } finally {
    clearTimeout(overdue);
    await curtain.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const asked = options();
if (asked) await demo(asked);
process.exit();
