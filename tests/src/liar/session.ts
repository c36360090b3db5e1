/**
 * One session behind a liar: two processes of one agent, and two approvers who do what the plan says. Whatever is
 * said and done is written down where the liar cannot reach: before it, on the agent's and the devices' side.
 */
import {
  createGuard,
  formatConnection,
  type Guard,
  isGuardError,
  type Json,
  type MemoryEvidence,
  memoryEvidence,
  type RequestView,
  type RosterStore,
  readHeader,
  readStatement,
  type Signed,
} from "@guard/core";
import { type Device, openDevice } from "@guard/device";
import { createLiar } from "./liar.ts";
import { lyingFetch } from "./lie.ts";
import { type Choice, edited, type Plan, policy, type Step } from "./plan.ts";
import { memoryLedger, memoryRoster, type Played } from "./played.ts";
import { approvers, type Enrolled, type World } from "./world.ts";

/** Longer than any call may take here, in milliseconds of real time. */
const bound = 30_000;
const spareOwner = 1;

export async function play(world: World, plan: Plan): Promise<Played> {
  const connection = await world.agent();
  const { bench, now } = world;
  let at = 0;
  const lies: string[] = [];
  const liar = createLiar({
    choose: (n) => (plan.choices[at++] ?? 0) % n,
    lies: plan.liar.lies,
    rate({ client, kind }) {
      const { about, to, rate } = plan.liar;
      const meant = to === null || client.startsWith("agent") === (to === "agent");
      return meant && (about === null || about.includes(kind)) ? rate : 0;
    },
    accomplices: { ...world.accomplices, receipts: plan.receiptKey ? world.accomplices.receipts : null },
    // Devices try again by themselves, with pauses that these sessions have no time for.
    patient: (client) => client.startsWith("agent"),
    now,
    onLie: (what) => lies.push(what),
  });
  const record: Played = {
    connection,
    runs: [],
    said: [],
    shown: [],
    headers: [],
    statements: [],
    evidence: [memoryEvidence(), memoryEvidence()],
    ends: [],
    revoked: [],
    faults: [],
    lies,
  };
  const rosters = record.evidence.map(memoryRoster);
  const ledger = plan.ledger ? memoryLedger() : null;
  const waiting: Promise<unknown>[] = [];

  /** What leaves a client, before the liar sees it. */
  function witnessed(client: string): typeof globalThis.fetch {
    const lying = lyingFetch(bench.fetch, liar.lie, client);
    return async (input, init) => {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      if (request.method === "POST") {
        const body = (await request.clone().json()) as { header: Signed; statement: Signed };
        if (pathname === "/v1/requests") record.headers.push(readHeader(body.header));
        if (pathname.endsWith("/statements")) record.statements.push(readStatement(body.statement));
      }
      return lying(request);
    };
  }

  const open = (index: number): Guard =>
    createGuard({
      connection: formatConnection(connection),
      approvers,
      policy,
      evidence: record.evidence[index] as MemoryEvidence,
      rosterStore: rosters[index] as RosterStore,
      ...(ledger ? { ledger } : {}),
      fetch: witnessed(`agent-${index}`),
      retries: 0,
      requestTimeout: 300,
      now,
    });
  const guards = [open(0), open(1)];
  const openOwn = ({ profile, store }: Enrolled): Promise<Device> =>
    openDevice({ profile, store, fetch: witnessed(profile.identity), now });
  // Devices start while the relay is honest: what a liar does to a start is among the steps.
  liar.repent();
  const devices = await Promise.all(world.devices.map(openOwn));
  const owners: Enrolled[] = [...world.devices];
  liar.resume();

  /** Everything ends, with an error of ours or without. */
  async function bounded<T>(what: string, work: Promise<T>): Promise<T | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, bound, "late");
    });
    try {
      const ended = await Promise.race([work, late]);
      if (ended !== "late") return ended as T;
      record.faults.push(`${what} did not end`);
    } catch (error) {
      if (isGuardError(error)) record.ends.push(error.code);
      else record.faults.push(`${what} threw ${String((error as Error)?.stack ?? error)}`);
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  }

  async function call(step: Step & { do: "ask" }): Promise<void> {
    const { tool, key, guard: index } = step;
    const guard = guards[index] as Guard;
    const action = {
      tool,
      args: { amount: step.amount },
      session: "session",
      validate: async (args: unknown) => args,
    };
    const execute = ({
      args,
      request,
      executionId,
    }: {
      args: Json;
      request: string | null;
      executionId: string;
    }) => {
      record.runs.push({ guard: index, tool, args, request, executionId, at: now() });
    };
    const own = { key: `${tool}-${key}` };
    if (step.wait) return guard.run(action, execute, { ...own, timeout: 700 });
    const check = await guard.check(action, own);
    if (check.status === "denied") throw check.error;
    if (check.status === "ready") await check.run(execute);
  }

  function choiceOf(person: number, args: Json): Choice {
    const { amount } = args as { amount: number };
    const choice = plan.answers[person]?.[amount % edited] ?? "ignore";
    return choice === "edit" && amount >= edited ? "approve" : choice;
  }

  /** What people have read, and decide when they look again. */
  const minds: (() => Promise<void>)[][] = [[], []];

  /** A person looks at one request, and decides as planned. */
  async function consider({ person, later }: Step & { do: "answer" }, view: RequestView): Promise<void> {
    const device = devices[person] as Device;
    const { identity, device: id } = device.profile;
    const opened = await device.open(view);
    if (opened.state !== "pending") return;
    record.shown.push({ opened, at: now(), identity });
    const choice = choiceOf(person, opened.args);
    if (opened.closed !== null || choice === "ignore") return;
    const decision = choice === "reject" ? "reject" : "approve";
    const { amount } = opened.args as { amount: number };
    const args = choice === "edit" ? { amount: amount + edited } : opened.args;
    const decide = async () => {
      record.said.push({ identity, device: id, opened, decision, args, at: now() });
      await device.decide(opened, { decision, ...(choice === "edit" ? { args } : {}) });
    };
    if (later) minds[person]?.push(decide);
    else await decide();
  }

  async function answer(step: Step & { do: "answer" }): Promise<void> {
    const { person, watch } = step;
    for (const decide of minds[person]?.splice(0) ?? []) await bounded("an answer", decide());
    const device = devices[person] as Device;
    const look = (view: RequestView) => bounded("an answer", consider(step, view));
    if (!watch) for (const view of await device.list()) await look(view);
    else {
      const signal = AbortSignal.timeout(120);
      for await (const view of device.requests({ signal })) await look(view);
    }
  }

  async function take(step: Step): Promise<void> {
    const { owner } = bench;
    const { agent } = connection;
    switch (step.do) {
      case "ask": {
        const ended = bounded("a call", call(step));
        if (step.wait) waiting.push(ended);
        else await ended;
        break;
      }
      case "answer":
        await bounded("a look", answer(step));
        break;
      case "jump":
        // A long one not between the gate's look at the clock and the run that it allows.
        if (step.ms > 7_200_000) await Promise.all(waiting);
        world.jump(step.ms);
        break;
      case "pause":
        await new Promise((resolve) => setTimeout(resolve, step.ms));
        break;
      case "suspend":
        if (!owner.roster().agent(agent)?.suspended) await owner.suspend(agent);
        break;
      case "lift":
        if (owner.roster().agent(agent)?.suspended) await owner.lift(agent);
        break;
      case "renew":
        await owner.renew();
        break;
      case "revoke":
        await revoke();
        break;
      case "cancel": {
        const request = record.headers.at(-1)?.request;
        if (request) await bounded("a cancel", (guards[0] as Guard).cancel(request));
        break;
      }
      case "restart":
        await bounded("a close", (guards[step.guard] as Guard).close());
        guards[step.guard] = open(step.guard);
        break;
      case "reopen": {
        const opened = await bounded("a start", openOwn(owners[step.person] as Enrolled));
        if (opened) devices[step.person] = opened;
        break;
      }
    }
  }

  /** The second approver loses a device in the middle of the session, and goes on with another one. */
  async function revoke(): Promise<void> {
    const device = (owners[spareOwner] as Enrolled).profile.device;
    if (record.revoked.length > 0) return;
    const another = await world.enrol(approvers[spareOwner]);
    const { head } = await bench.owner.append({
      kind: "revoke",
      target: { kind: "device", id: device },
      reason: null,
    });
    record.revoked.push({ device, seq: head.seq });
    owners[spareOwner] = another;
    world.replace(spareOwner, another);
  }

  const heads = devices.map(headOf);
  for (const step of plan.steps) {
    await take(step);
    devices.forEach((device, i) => {
      const seq = headOf(device) ?? heads[i] ?? 0;
      if (seq < (heads[i] ?? 0)) record.faults.push(`a device's roster went from ${heads[i]} to ${seq}`);
      heads[i] = seq;
    });
  }
  await Promise.all(waiting);
  // Whatever is still open has expired for the next session of this world.
  world.jump(26 * 3_600_000);
  for (const guard of guards) await bounded("a close", guard.close());
  return record;
}

/** The newest entry that a device knows; null once it has stopped for a fork. */
function headOf(device: Device): number | null {
  try {
    return device.roster().head.seq;
  } catch (error) {
    if (isGuardError(error, "verification_failed")) return null;
    throw error;
  }
}
