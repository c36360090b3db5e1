// Different rosters for different clients: what is noticed, when, and what cannot be.
import {
  createGuard,
  formatConnection,
  type Head,
  idOf,
  type MemoryEvidence,
  memoryEvidence,
  type NewRequest,
  type RequestView,
  type RosterPage,
  readHeader,
  type Signed,
  signEntry,
  verifyChain,
} from "@guard/core";
import { openDevice } from "@guard/device";
import { afterEach, expect, test } from "vitest";
import { type Accomplices, forgedAnswers, madeReceipt } from "./accomplices.ts";
import { changed, type Lie, lyingFetch } from "./lie.ts";
import { viewKinds } from "./memory.ts";
import { accompliceOf, approvers, createWorld, type World } from "./world.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const seqOf = (entry: Signed) => (JSON.parse(entry.body) as { seq: number }).seq;
const headOf = (entry: Signed): Head => ({ seq: seqOf(entry), hash: idOf(entry) });
const refund = (session: string) => ({ tool: "refund", args: { amount: 900 }, session });

/** Shows a roster that ends with `last` in the place of the real one. */
const ending =
  (last: Signed): Lie =>
  async ({ kind, honest }) => {
    const head = headOf(last);
    if (kind === "roster")
      return changed(honest, (value) => {
        const kept = (value as unknown as RosterPage).entries.filter((entry) => seqOf(entry) < head.seq);
        const from = Number(seqOf((value as unknown as RosterPage).entries[0] as Signed));
        return { entries: from > head.seq ? [] : [...kept, last], head };
      });
    if (viewKinds.has(kind)) return changed(honest, (view) => ({ ...view, roster: head }));
    return undefined;
  };

async function newWorld(): Promise<World> {
  const world = await createWorld();
  open.push(world);
  return world;
}

const honest: Lie = async () => undefined;

async function clients(world: World, lies: { agent?: Lie; device?: Lie }) {
  const { bench, now } = world;
  const [alice] = world.devices;
  if (!alice) throw new Error("no device");
  const connection = formatConnection(await world.agent());
  const fetch = lyingFetch(bench.fetch, async (call) => (lies.device ?? honest)(call));
  const device = await openDevice({ ...alice, fetch, now });
  const ran: unknown[] = [];
  const evidence: MemoryEvidence[] = [];

  /** A process of the agent; it knows the roster as of its start. */
  async function start(): Promise<(session: string) => Promise<string>> {
    const own = memoryEvidence();
    evidence.push(own);
    const guard = createGuard({
      connection,
      approvers,
      evidence: own,
      rosterStore: null,
      fetch: lyingFetch(bench.fetch, async (call) => (lies.agent ?? honest)(call)),
      retries: 0,
      now,
    });
    open.push(guard);
    await guard.ready();
    return async (session) => {
      const check = await guard.check(refund(session), { key: session });
      if (check.status === "denied") throw check.error;
      if (check.status === "ready") await check.run(({ args }) => ran.push(args));
      return check.status;
    };
  }
  const approve = async () => {
    for (const view of await device.list())
      await device.decide(await device.open(view), { decision: "approve" });
  };
  return { start, evidence, device, approve, ran };
}

/** The root signs a second history: at `seq` of the real one it says something else. */
async function forkOf({ bench, now }: World): Promise<Signed> {
  const roster = bench.owner.roster();
  const by = { signer: bench.rootSigner, by: "root", now: now() };
  return signEntry(roster.at(roster.head.seq - 1), { kind: "identity", identity: "eve@example.com" }, by);
}

test("split-view, roster-fork: two histories live side by side until somebody signs for one of them before the other", async () => {
  const world = await newWorld();
  const lies: { device?: Lie } = {};
  const { start, approve, device, ran } = await clients(world, lies);
  const early = await start();
  await world.bench.owner.renew();
  lies.device = ending(await forkOf(world));
  // What this process signs names the roster before the fork: nobody can notice anything yet.
  expect(await early("early")).toBe("pending");
  const [view] = await device.list();
  expect((await device.open(view as RequestView)).state).toBe("pending");
  // This one knows its own history, and signs for it: the device stops for good.
  const late = await start();
  expect(await late("late")).toBe("pending");
  await expect(approve()).rejects.toThrow("forked");
  delete lies.device;
  await expect(approve()).rejects.toThrow("forked");
  expect(ran).toEqual([]);
});

test("split-view, roster-fork: an answer signed by another history's roster stops the agent, and nothing runs", async () => {
  const world = await newWorld();
  const lies: { device?: Lie } = {};
  const { start, approve, ran } = await clients(world, lies);
  const run = await start();
  expect(await run("one")).toBe("pending");
  await world.bench.owner.renew();
  lies.device = ending(await forkOf(world));
  await approve();
  await expect(run("one")).rejects.toMatchObject({ code: "verification_failed" });
  await expect(run("two")).rejects.toThrow("forked");
  expect(ran).toEqual([]);
});

test("stale-roster: a device that is kept on an old roster shows nothing that was signed by a newer one", async () => {
  const world = await newWorld();
  const lies: { device?: Lie } = {};
  const { start, device } = await clients(world, lies);
  lies.device = ending(world.bench.owner.roster().entries.at(-1) as Signed);
  await world.bench.owner.renew();
  const run = await start();
  expect(await run("one")).toBe("pending");
  const [view] = await device.list();
  await expect(device.open(view as RequestView)).rejects.toThrow("hides roster entries");
  delete lies.device;
  expect((await device.open(view as RequestView)).state).toBe("pending");
});

test("revoked-device: what cannot be noticed is a revocation that nobody else names, and rosterMaxAge ends that", async () => {
  const world = await newWorld();
  const { bench, now } = world;
  const lost = await world.enrol(approvers[0]);
  const lies: { agent?: Lie } = {};
  const { start, ran, evidence } = await clients(world, lies);
  const known = bench.owner.roster().entries.at(-1) as Signed;
  await bench.owner.revoke({ kind: "device", id: lost.profile.device }, "lost");
  // The relay hides the revocation, passes on what the device signs all the same, and holds the receipt key.
  const by: Accomplices = { ...world.accomplices, devices: [await accompliceOf(lost)] };
  const stale = ending(known);
  lies.agent = async (call) => {
    if (call.kind === "ask") {
      const { header, ciphertext } = call.body as NewRequest;
      const { request } = readHeader(header);
      const view = { request, state: "approved", version: 2, header, ciphertext, wrap: null } as const;
      const asked = { ...view, roster: headOf(known), answers: [] };
      const answers = await forgedAnswers(asked, by, { choose: () => 0, devices: new Map() });
      return Response.json({ ...asked, answers });
    }
    if (call.kind !== "consume") return stale(call);
    const { consume } = call.body as { consume: Signed };
    return Response.json({ receipt: await madeReceipt(by, consume, { now: now() }) });
  };
  const run = await start();
  await run("hidden");
  expect(ran).toEqual([{ amount: 900 }]);
  world.jump(31 * 86_400_000);
  await expect(run("later")).rejects.toMatchObject({
    code: "denied",
    reasons: ["the roster is too old (rosterMaxAge)"],
  });
  expect(ran).toHaveLength(1);
  // Nor does the evidence show it: by the roster that the agent names, all was well.
  const roster = await bench.owner.sync();
  expect((await verifyChain(evidence[0]?.lines ?? [], { roster })).problems).toEqual([]);
});
