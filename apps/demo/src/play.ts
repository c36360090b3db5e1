/**
 * The story with one framework: an agent works on the tickets, then the relay is replaced by one that lies.
 *
 * Suspending, each act takes several processes. The agent exits while it waits; people answer while nothing of it
 * runs; another process finds by itself what was answered and goes on. That one is killed with SIGKILL on the way,
 * and a third one ends what was begun.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { formatConnection, parseConnection } from "@guard/core";
import type { Framework } from "./options.ts";
import { names, said } from "./output.ts";
import { type Journal, type Reckoning, reckon, settled } from "./reckon.ts";
import { foundShop } from "./shop.ts";
import type { Stage } from "./stage.ts";
import { bob, lastTicket, type Ticket, tickets } from "./story.ts";

export interface PlayOptions {
  readonly framework: Framework;
  readonly suspend: boolean;
  readonly live: boolean;
  /** A real model, by its name at the AI gateway. */
  readonly model: string | undefined;
  /** Where this agent keeps everything. */
  readonly directory: string;
}

/** Where the process that goes on is killed. */
const killedAt = "ticket-3";

export async function play(stage: Stage, options: PlayOptions): Promise<Reckoning> {
  const { framework, suspend, live, directory } = options;
  const journal = stage.follow();
  const connection = await stage.owner.addAgent(`support-${framework}`);
  const shop = join(directory, "shop.db");
  await mkdir(directory, { recursive: true });
  foundShop(shop);
  const env = {
    GUARD_CONNECTION: formatConnection(connection),
    DEMO_FRAMEWORK: framework,
    DEMO_DIRECTORY: directory,
    DEMO_RUNS: join(directory, "runs"),
    DEMO_SHOP: shop,
    DEMO_LIVE: live ? "1" : "0",
    DEMO_SUSPEND: suspend ? "1" : "0",
    DEMO_MODEL: options.model ?? "",
  };
  await act(stage, journal, { env, suspend, tickets });

  stage.show({ text: "" });
  stage.show({
    text: `Now the relay is replaced by one that lies: it will turn ${names([bob])}'s rejection into an approval.`,
    tone: "warning",
  });
  const lied = {
    ...env,
    GUARD_CONNECTION: formatConnection({ ...parseConnection(env.GUARD_CONNECTION), relay: stage.lyingRelay }),
  };
  // It needs a call that somebody rejects; a real model might not make it.
  await act(stage, journal, { env: { ...lied, DEMO_MODEL: "" }, suspend, tickets: [lastTicket] });

  const roster = await stage.owner.sync();
  const evidence = join(directory, "evidence");
  return reckon({ journal, shop, evidence, roster, scripted: !live, suspend });
}

interface Act {
  readonly env: { readonly [name: string]: string };
  readonly suspend: boolean;
  readonly tickets: readonly Ticket[];
}

async function act(stage: Stage, journal: Journal, { env, suspend, tickets }: Act): Promise<void> {
  const run = (own: Act["env"]) => stage.run("agent", { ...env, ...own }).ended();
  stage.answer(!suspend);
  await run({ DEMO_ACT: "work", DEMO_TICKETS: tickets.map(({ id }) => id).join(" ") });
  if (!suspend) return;
  stage.show(said("", "(no process of the agent is left; people answer)", "dim"));
  stage.show({ text: "" });
  stage.answer(true);
  const unsaid = () => tickets.filter(({ id }) => !journal.said.has(id)).length;
  while (unsaid() > 0) {
    await stage.until(() => journal.asked.every((asked) => settled(asked, journal.answered)));
    const before = [unsaid(), journal.asked.length, journal.killed].join();
    await run({ DEMO_ACT: "resume", ...(journal.killed === 0 ? { DEMO_HALT_AT: killedAt } : {}) });
    if ([unsaid(), journal.asked.length, journal.killed].join() === before) {
      throw new Error("People have answered, and no suspended run went on.");
    }
  }
}
