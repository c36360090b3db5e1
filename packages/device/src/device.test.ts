import {
  agentKeys,
  openReply,
  outcomeOf,
  type RequestView,
  randomBytes,
  readHeader,
  type Statement,
  signObject,
  verifyAnswers,
} from "@guard/core";
import { beforeEach, describe, expect, test } from "vitest";
import { type Device, openDevice } from "./device.ts";
import { enrol } from "./enrol.ts";
import { type Party, party, tampering } from "./fixture.ts";
import { memoryDeviceStore } from "./profile.ts";

const alice = "alice@example.com";
const bob = "bob@example.com";
let p: Party;
let device: Device;

beforeEach(async () => {
  p = await party();
  device = await p.device(alice);
});

const receive = async (view: RequestView, by = device) => by.get(view.request);
/** The same request as the relay would show it after changing it. */
const changed = async (view: RequestView, over: Partial<RequestView>) => ({
  ...(await receive(view)),
  ...over,
});

async function outcome(request: string) {
  const view = await p.seen(request);
  const header = readHeader(view.header);
  const statements = await verifyAnswers(
    header,
    p.roster(),
    view.answers.map((a) => a.statement),
  );
  return { view, statements, outcome: outcomeOf(header, p.roster(), statements, p.now()) };
}

describe("opening", () => {
  test("shows what the agent asked, verified", async () => {
    const asked = await p.ask({ args: { amount: 900, to: "bob" }, facts: { risk: "high", title: "Refund" } });
    const opened = await device.open(await receive(asked));
    expect(opened).toMatchObject({
      state: "pending",
      agent: "billing",
      tool: "refund",
      args: { amount: 900, to: "bob" },
      facts: { risk: "high", title: "Refund" },
      policy: { reasons: ["refunds are asked"] },
      answers: [],
      missing: 1,
      closed: null,
    });
    expect(Object.isFrozen(opened.args)).toBe(true);
  });

  test("sender-impersonation: whoever has only the device's public key cannot ask", async () => {
    const asked = await p.ask();
    const stranger = await agentKeys(randomBytes(32));
    const forged = await p.draft({ keys: stranger });
    const wrap = forged.body.wraps[0] as NonNullable<RequestView["wrap"]>;
    const view = await changed(asked, {
      request: readHeader(forged.body.header).request,
      header: forged.body.header,
      ciphertext: forged.body.ciphertext,
      wrap: { enc: wrap.enc, ciphertext: wrap.ciphertext },
    });
    await expect(device.open(view)).rejects.toMatchObject({ code: "verification_failed" });
    await expect(device.open(view)).rejects.toThrow(/did not sign it/);
  });

  test("sender-impersonation: a revoked agent asks nothing any more", async () => {
    const asked = await p.ask();
    const view = await receive(asked);
    await p.append({ kind: "revoke", target: { kind: "agent", id: "billing" }, reason: null });
    await expect(device.open({ ...view, roster: p.roster().head })).rejects.toThrow(
      /did not sign it|revoked/,
    );
  });

  test("stale-delivery: an expired request is not shown as open, and is not signed", async () => {
    const asked = await p.ask({ lifetime: 10_000 });
    const view = await receive(asked);
    const opened = await device.open(view);
    p.clock.now += 20_000;
    expect(await device.open(view)).toMatchObject({ state: "expired", closed: "It is expired." });
    await expect(device.decide(opened, { decision: "approve" })).rejects.toMatchObject({ code: "expired" });
    expect((await outcome(asked.request)).statements).toEqual([]);
  });

  test("bad-ciphertext: bit flips, truncation and emptiness are clear errors", async () => {
    const asked = await p.ask();
    const view = await receive(asked);
    const wrap = view.wrap as NonNullable<RequestView["wrap"]>;
    const flip = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
    const views: RequestView[] = [
      { ...view, ciphertext: flip(view.ciphertext) },
      { ...view, ciphertext: view.ciphertext.slice(0, 40) },
      { ...view, ciphertext: "" },
      { ...view, wrap: null },
      { ...view, wrap: { ...wrap, enc: flip(wrap.enc) } },
      { ...view, wrap: { enc: "", ciphertext: "" } },
      { ...view, header: { ...view.header, body: view.header.body.replace("billing", "selling") } },
      { ...view, header: { ...view.header, signature: "A".repeat(86) } },
    ];
    for (const bad of views) {
      await expect(device.open(bad)).rejects.toMatchObject({ code: "verification_failed" });
    }
  });

  test("cross-request-splice: one request's halves with another's are refused", async () => {
    const [a, b] = [await receive(await p.ask()), await receive(await p.ask())];
    for (const bad of [
      { ...a, header: b.header },
      { ...a, ciphertext: b.ciphertext },
      { ...a, wrap: b.wrap },
      { ...a, request: b.request },
    ]) {
      await expect(device.open(bad)).rejects.toMatchObject({ code: "verification_failed" });
    }
  });

  test("forged-outcome: approved without statements is not shown as approved", async () => {
    const asked = await p.ask();
    await expect(device.open(await changed(asked, { state: "approved" }))).rejects.toThrow(/do not add up/);
  });

  test("roster-fork: a paper that names another history stops the device", async () => {
    const asked = await p.draft({ paper: { roster: { seq: 1, hash: "A".repeat(43) } } });
    const { wraps, header, ciphertext } = asked.body;
    const wrap = wraps[0] as NonNullable<RequestView["wrap"]>;
    const view: RequestView = {
      request: readHeader(header).request,
      state: "pending",
      version: 1,
      header,
      ciphertext,
      wrap: { enc: wrap.enc, ciphertext: wrap.ciphertext },
      answers: [],
      roster: p.roster().head,
    };
    await expect(device.open(view)).rejects.toThrow(/forked/);
  });

  test("not-an-approver: a request for somebody else is not opened", async () => {
    const other = await p.device(bob);
    const asked = await p.ask({ terms: { approvers: [alice] } });
    await expect(other.open(await receive(asked))).rejects.toMatchObject({ code: "verification_failed" });
  });
});

describe("deciding", () => {
  test("an approval is a statement that counts", async () => {
    const asked = await p.ask();
    const view = await device.decide(await device.open(await receive(asked)), { decision: "approve" });
    expect(view.state).toBe("approved");
    expect((await outcome(asked.request)).outcome).toMatchObject({ status: "approved", by: [alice] });
  });

  test("a rejection carries its reason to the agent alone", async () => {
    const asked = await p.ask();
    await device.decide(await device.open(await receive(asked)), {
      decision: "reject",
      reason: "Wrong customer",
    });
    const { view, statements, outcome: counted } = await outcome(asked.request);
    expect(counted.status).toBe("rejected");
    expect(JSON.stringify(view)).not.toContain("Wrong customer");
    const reply = await openReply({
      decryption: p.keys.decryption,
      statement: statements[0] as Statement,
      reply: view.answers[0]?.reply as NonNullable<RequestView["answers"][0]["reply"]>,
    });
    expect(reply).toMatchObject({ reason: "Wrong customer", edit: null });
  });

  test("an edit approves the edited action, where the terms allow it", async () => {
    const asked = await p.ask();
    await device.decide(await device.open(await receive(asked)), {
      decision: "approve",
      args: { amount: 90 },
    });
    const { outcome: counted, statements } = await outcome(asked.request);
    expect(counted.status).toBe("approved");
    expect(statements[0]?.effective).not.toBe(statements[0]?.actionDigest);

    const fixed = await p.ask({ terms: { editable: false } });
    const opened = await device.open(await receive(fixed));
    const edit = device.decide(opened, { decision: "approve", args: { amount: 90 } });
    await expect(edit).rejects.toMatchObject({ code: "validation" });
  });

  test("toctou-args: what is signed is what was opened, and only that", async () => {
    const opened = await device.open(await receive(await p.ask()));
    await expect(device.decide({ ...opened }, { decision: "approve" })).rejects.toThrow(/did not open/);
    const other = await p.device(bob);
    await expect(other.decide(opened, { decision: "approve" })).rejects.toThrow(/did not open/);
  });

  test("consume-retry: repeating a decision posts the same bytes; another one is refused", async () => {
    const bodies: string[] = [];
    let lose = true;
    const lossy: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!request.url.endsWith("/statements")) return p.fetch(request);
      bodies.push(await request.clone().text());
      const response = await p.fetch(request);
      if (!lose) return response;
      lose = false;
      return new Response("<html>lost</html>", { status: 404 });
    };
    const store = memoryDeviceStore();
    const unlucky = await p.device(bob, { store, fetch: lossy });
    const opened = await unlucky.open(await unlucky.get((await p.ask()).request));
    const decision = { decision: "approve", reason: "fine" } as const;
    await expect(unlucky.decide(opened, decision)).rejects.toMatchObject({ code: "unavailable" });
    await unlucky.decide(opened, decision);
    expect(bodies).toHaveLength(2);
    expect(bodies[0]).toBe(bodies[1]);
    await expect(unlucky.decide(opened, { decision: "reject" })).rejects.toThrow(/another decision/);
  });

  test("clock-rollback: a decision that was refused for a wrong clock is signed again once the clock is set", async () => {
    const store = memoryDeviceStore();
    const { profile } = await p.device(bob, { store });
    let ahead = 600_000;
    const fast = await openDevice({ profile, store, fetch: p.fetch, now: () => p.now() + ahead });
    const opened = await fast.open(await fast.get((await p.ask({ lifetime: 3_600_000 })).request));
    const decision = { decision: "approve" } as const;
    await expect(fast.decide(opened, decision)).rejects.toMatchObject({ code: "clock_skew" });
    ahead = 0;
    await expect(fast.decide(opened, { decision: "reject" })).rejects.toThrow(/another decision/);
    expect(await fast.decide(opened, decision)).toMatchObject({ state: "approved" });
  });

  test("two tabs: what another tab of this device answered is not answered again, nor turned around", async () => {
    const store = memoryDeviceStore();
    const first = await p.device(bob, { store });
    const second = await openDevice({ profile: first.profile, store, fetch: p.fetch, now: p.now });
    const asked = await p.ask({ terms: { quorum: 2 } });
    const [here, there] = [
      await first.open(await first.get(asked.request)),
      await second.open(await second.get(asked.request)),
    ];
    await first.decide(here, { decision: "approve" });
    for (const decision of ["reject", "approve"] as const) {
      await expect(second.decide(there, { decision })).rejects.toMatchObject({
        relayCode: "already_decided",
        message: "Too late: bob@example.com has answered already: approve.",
      });
    }
    expect((await outcome(asked.request)).statements).toHaveLength(1);
  });

  test("one-person-quorum: with two needed, the second person sees the first one's answer", async () => {
    const other = await p.device(bob);
    const asked = await p.ask({ terms: { quorum: 2 } });
    await device.decide(await device.open(await receive(asked)), { decision: "approve" });
    const opened = await other.open(await other.get(asked.request));
    expect(opened).toMatchObject({
      missing: 1,
      closed: null,
      answers: [{ identity: alice, decision: "approve" }],
    });
    expect((await device.open(await receive(asked))).closed).toMatch(/answered already/);
  });
});

describe("following", () => {
  test("requests come as they are made, and again as they change", async () => {
    const stop = new AbortController();
    const first = await p.ask();
    const views = device.requests({ signal: stop.signal });
    expect((await views.next()).value).toMatchObject({ request: first.request, state: "pending" });
    const next = views.next();
    const second = await p.ask();
    expect((await next).value).toMatchObject({ request: second.request });
    const change = views.next();
    await device.decide(await device.open(await receive(first)), { decision: "approve" });
    expect((await change).value).toMatchObject({ request: first.request, state: "approved" });
    stop.abort();
    expect((await views.next()).done).toBe(true);
  });

  test("fail-open-outage: without a stream it polls", async () => {
    const noStream: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      return request.url.endsWith("/stream") ? new Response("no", { status: 404 }) : p.fetch(request);
    };
    const store = memoryDeviceStore();
    const polling = await p.device(bob, { store, fetch: noStream });
    const stop = new AbortController();
    const asked = await p.ask();
    const views = polling.requests({ signal: stop.signal });
    expect((await views.next()).value).toMatchObject({ request: asked.request });
    stop.abort();
  });

  test("fail-open-outage: a request that could not be read comes when it can be", async () => {
    let failing = 0;
    const problems: unknown[] = [];
    const flaky: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (failing > 0 && /\/v1\/requests\/[\w-]+$/.test(request.url)) {
        failing--;
        throw new TypeError("fetch failed");
      }
      return p.fetch(request);
    };
    const onProblem = (error: unknown) => void problems.push(error);
    const shaky = await p.device(bob, { store: memoryDeviceStore(), fetch: flaky, onProblem });
    const stop = new AbortController();
    const views = shaky.requests({ signal: stop.signal });
    failing = 3;
    const asked = await p.ask();
    expect((await views.next()).value).toMatchObject({ request: asked.request });
    expect(problems).toHaveLength(1);
    stop.abort();
  });

  test("roster-fork: a head that the relay announces is signed by nobody, and stops no device", async () => {
    const lying: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      const honest = await p.fetch(request);
      if (!request.url.endsWith("/stream") || honest.body === null) return honest;
      const lies = [1, 10_000].map((seq) => JSON.stringify({ seq, hash: "A".repeat(43) }));
      const events = lies.map((data) => `event: roster\ndata: ${data}\n\n`).join("");
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode(events)),
      });
      void honest.body.pipeTo(writable).catch(() => {});
      return new Response(readable, { headers: honest.headers });
    };
    const store = memoryDeviceStore();
    const told = await p.device(bob, { store, fetch: lying });
    const asked = await p.ask();
    const stop = new AbortController();
    const { value: view } = await told.requests({ signal: stop.signal }).next();
    expect(view).toMatchObject({ request: asked.request });
    await told.decide(await told.open(view as RequestView), { decision: "approve" });
    stop.abort();
  });

  test("revoked-device: a revoked device is told so", async () => {
    const { profile } = device;
    await p.append({ kind: "revoke", target: { kind: "device", id: profile.device }, reason: null });
    const reopened = openDevice({ profile, store: memoryDeviceStore(), fetch: p.fetch, now: p.now });
    await expect(reopened).rejects.toThrow(/revoked/);
  });
});

describe("enrolling", () => {
  test("enrolment-mitm: keys that were swapped on their way are refused by the inviter", async () => {
    const invitation = await p.invite(bob);
    const swapping: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!request.url.endsWith("/v1/enrolments")) return p.fetch(request);
      const { enrolment } = (await request.json()) as { enrolment: { body: string } };
      const { createDeviceKeys } = await import("./keys.ts");
      const { keys } = await createDeviceKeys();
      const mine = { ...JSON.parse(enrolment.body), key: keys.signer.key };
      const body = JSON.stringify({ enrolment: await signObject(keys.signer, mine) });
      return p.fetch(new Request(request.url, { method: "POST", headers: request.headers, body }));
    };
    const store = memoryDeviceStore();
    await enrol({ invitation, name: "x", origin: "terminal", store, fetch: swapping, now: p.now });
    await expect(p.confirm(invitation)).rejects.toThrow(/changed on their way/);
  });

  test("key-substitution: a roster under another root is not believed", async () => {
    const invitation = await p.invite(bob);
    const store = memoryDeviceStore();
    const other = await party();
    const entries = other.roster().entries;
    const lying = tampering(p.fetch, (path, value) =>
      path === "/v1/roster" ? { entries, head: other.roster().head } : value,
    );
    const enrolling = await enrol({
      invitation,
      name: "x",
      origin: "terminal",
      store,
      fetch: lying,
      now: p.now,
    });
    await expect(enrolling.waitUntilEnrolled({ interval: 1 })).rejects.toMatchObject({
      code: "verification_failed",
    });
  });

  test("an invitation that is over, damaged or cut says so", async () => {
    const options = { name: "x", origin: "terminal", store: memoryDeviceStore(), fetch: p.fetch };
    const invitation = await p.invite(bob);
    const late = enrol({ ...options, invitation, now: () => invitation.expiresAt + 1 });
    await expect(late).rejects.toMatchObject({ code: "expired" });
    await expect(enrol({ ...options, invitation: "hello" })).rejects.toThrow(/guard invite/);
    await expect(enrol({ ...options, invitation: "guard-invite-AAAA" })).rejects.toMatchObject({
      code: "verification_failed",
    });
  });
});
