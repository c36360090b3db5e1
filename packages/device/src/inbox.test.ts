import type { RequestView } from "@guard/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Device } from "./device.ts";
import { type Party, party, tampering } from "./fixture.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { memoryDeviceStore } from "./profile.ts";

const [alice, bob] = ["alice@example.com", "bob@example.com"];
let p: Party;
let device: Device;
let inbox: Inbox;
let remarks: string[];
let waiting: (() => void)[];

/** Resolves at the first change of the inbox after which `holds` holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => waiting.push(resolve));
}

const ids = () => inbox.items().map(({ opened }) => opened.request);
const listed = (...wanted: readonly RequestView[]) =>
  until(() => ids().join() === wanted.map(({ request }) => request).join());

beforeEach(async () => {
  p = await party();
  device = await p.device(alice);
  remarks = [];
  waiting = [];
  inbox = createInbox({
    onChange: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
    onRemark: (text) => remarks.push(text),
    now: p.now,
  });
});
afterEach(() => inbox.close());

test("lists what can be answered, most dangerous first, then what ends first; what ends leaves it", async () => {
  inbox.add(device);
  const low = await p.ask({ facts: { risk: "low" } });
  const [late, soon] = [await p.ask(), await p.ask({ lifetime: 30_000 })];
  const critical = await p.ask({ facts: { risk: "critical" } });
  await listed(critical, soon, late, low);
  expect(inbox.status(device)).toEqual({ state: "live", why: null });

  const item = inbox.items()[0] as ReturnType<Inbox["items"]>[0];
  await inbox.accept(device, await device.decide(item.opened, { decision: "approve" }));
  expect(ids()).not.toContain(critical.request);
  expect(inbox.ended(item)).toBe("It is approved.");
  expect(remarks).toEqual([]);
  expect(inbox.ended(inbox.items()[0] as typeof item)).toBeNull();
  const [, ending] = inbox.items() as [typeof item, typeof item];
  p.clock.now = ending.opened.expiresAt;
  expect(inbox.items()).toEqual([]);
  expect(inbox.ended(ending)).toBe("It is expired.");
});

test("a device whose clock runs ahead says why it shows nothing, once for each request", async () => {
  const ahead = await p.device(bob, { now: () => p.now() + 3_600_000 });
  inbox.add(ahead);
  const asked = await p.ask();
  await until(() => remarks.length > 0);
  expect(remarks[0]).toMatch(
    /^refund \S{8} is open at the relay, but ended at .* this device's clock.*Set the clock/,
  );
  p.clock.now += 1000;
  await inbox.accept(ahead, await ahead.get(asked.request));
  expect(remarks).toHaveLength(1);
  expect(ids()).toEqual([]);
});

test("stale-delivery: a view from before an answer, opened late, does not bring the request back", async () => {
  inbox.add(device);
  const asked = await p.ask();
  await listed(asked);
  const before = await device.get(asked.request);
  const answered = await device.decide(await device.open(before), { decision: "reject" });
  const late = inbox.accept(device, before);
  await inbox.accept(device, answered);
  await late;
  await inbox.accept(device, before);
  expect(ids()).toEqual([]);
});

test("two people at one screen: each is asked once, and what ends for one ends for both", async () => {
  const other = await p.device(bob);
  inbox.add(device);
  inbox.add(other);
  const asked = await p.ask({ terms: { quorum: 2 } });
  await until(() => inbox.items().length === 2);
  const [first, second] = inbox.items() as [ReturnType<Inbox["items"]>[0], ReturnType<Inbox["items"]>[0]];
  expect([first.identity, second.identity]).toEqual([alice, bob]);
  await inbox.accept(device, await device.decide(first.opened, { decision: "approve" }));
  expect(inbox.ended(first)).toBe(`${alice} has answered already: approve.`);
  expect(inbox.items().map(({ identity }) => identity)).toEqual([bob]);
  await inbox.accept(other, await other.decide(second.opened, { decision: "reject" }));
  expect([inbox.items(), inbox.ended(second)]).toEqual([[], "It is rejected."]);
  expect((await other.history()).map(({ request }) => request)).toEqual([asked.request]);
});

test("what cannot be verified is not listed, and reported once", async () => {
  const lying = tampering(p.fetch, (path, value) =>
    /\/v1\/requests\/[\w-]{43}$/.test(path) ? { ...(value as object), wrap: null } : value,
  );
  const deceived = await p.device(bob, { fetch: lying });
  inbox.add(deceived);
  const asked = await p.ask();
  await until(() => remarks.length > 0);
  await inbox.accept(deceived, await deceived.get(asked.request));
  expect(inbox.items()).toEqual([]);
  expect(remarks).toEqual([expect.stringMatching(/is not shown to bob@example.com: .*no key/)]);
});

describe("the connection", () => {
  test("fail-open-outage, sleep: away while the relay is out of reach, and back as soon as the inbox is woken", async () => {
    let cut = new AbortController();
    const wire: typeof fetch = async (input, init) => {
      cut.signal.throwIfAborted();
      const request = new Request(input, init);
      const response = await p.fetch(new Request(request, { signal: request.signal }));
      // A stream that the network forgot ends without a word.
      if (!request.url.endsWith("/stream") || response.body === null) return response;
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      void response.body.pipeTo(writable, { signal: cut.signal }).catch(() => {});
      return new Response(readable, { headers: response.headers });
    };
    const moving = await p.device(bob, { store: memoryDeviceStore(), fetch: wire });
    inbox.add(moving);
    expect(inbox.status(moving).state).toBe("connecting");
    await until(() => inbox.status(moving).state === "live");
    const [answeredMeanwhile, open] = [await p.ask(), await p.ask()];
    await until(() => ids().length === 2);

    cut.abort(new TypeError("the network is gone"));
    inbox.wake();
    await until(() => inbox.status(moving).state === "away");
    expect(inbox.status(moving).why).toMatch(/relay/i);
    await device.decide(await device.open(await device.get(answeredMeanwhile.request)), {
      decision: "approve",
    });
    const madeMeanwhile = await p.ask();

    cut = new AbortController();
    inbox.wake();
    await until(() => inbox.status(moving).state === "live");
    await until(() => !ids().includes(answeredMeanwhile.request) && ids().length === 2);
    expect(new Set(ids())).toEqual(new Set([open.request, madeMeanwhile.request]));
  });

  test("fail-open-outage: a request that an outage keeps from being opened is no refused one, and comes later", async () => {
    let cut = false;
    const wire: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (cut && new URL(request.url).pathname === "/v1/roster") throw new TypeError("fetch failed");
      return p.fetch(request);
    };
    const moving = await p.device(bob, { store: memoryDeviceStore(), fetch: wire });
    inbox.add(moving);
    await until(() => inbox.status(moving).state === "live");
    cut = true;
    await p.invite("carol@example.com"); // The roster that the next request names is one that the device has to read.
    const asked = await p.ask();
    await inbox.accept(moving, await moving.get(asked.request));
    expect(ids()).toEqual([]);
    cut = false;
    inbox.wake();
    await listed(asked);
    expect(remarks).toEqual([]);
  });

  test("live means that everything that waits is listed", async () => {
    const asked = [await p.ask(), await p.ask(), await p.ask()];
    const listedWhenLive = new Promise<number>((resolve) => {
      void until(() => inbox.status(device).state === "live").then(() => resolve(ids().length));
    });
    inbox.add(device);
    expect(await listedWhenLive).toBe(asked.length);
  });

  test("waking while all is well loses nothing and repeats nothing", async () => {
    let reads = 0;
    const counting: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (/\/v1\/requests\/[\w-]{43}$/.test(request.url)) reads++;
      return p.fetch(request);
    };
    const counted = await p.device(bob, { fetch: counting });
    inbox.add(counted);
    const first = await p.ask();
    await listed(first);
    inbox.wake();
    inbox.wake();
    await p.ask();
    await until(() => ids().length === 2);
    expect(reads).toBe(2);
  });

  test("revoked-device: it is refused, says so, and lists nothing any more", async () => {
    inbox.add(device);
    await listed(await p.ask());
    await p.append({ kind: "revoke", target: { kind: "device", id: device.profile.device }, reason: null });
    await until(() => inbox.status(device).state === "refused");
    expect(inbox.status(device).why).toBeTruthy();
    expect(inbox.items()).toEqual([]);
    expect(remarks).toEqual([expect.stringContaining(`${alice} is not asked here any more`)]);
  });

  test("a device that is taken off is followed no more, and a late answer of it lists nothing", async () => {
    inbox.add(device);
    const asked = await p.ask();
    await listed(asked);
    inbox.remove(device);
    await inbox.accept(device, await device.get(asked.request));
    expect(inbox.items()).toEqual([]);
  });
});

test("history: what is running and what has ended, newest first, page by page; never what waits", async () => {
  const decide = async (decision: "approve" | "reject") => {
    const asked = await p.ask();
    await device.decide(await device.open(await device.get(asked.request)), { decision });
    return asked.request;
  };
  const rejected = [await decide("reject"), await decide("reject")];
  const approved = await decide("approve");
  await p.ask();
  const history = await device.history();
  expect(history.map(({ request }) => request)).toEqual([approved, ...rejected.toReversed()]);
  for (const view of history) expect((await device.open(view)).closed).not.toBeNull();
  const older = await device.history({ before: rejected[1] as string });
  expect(older.map(({ request }) => request)).toEqual([rejected[0]]);
  expect(await device.history({ before: rejected[0] as string })).toEqual([]);
});
