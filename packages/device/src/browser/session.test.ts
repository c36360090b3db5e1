// A whole session with each kind of key that a page can have: enrolled, kept, read back as after a reload, and a
// guard's request answered with it, which agent and relay verify.
import {
  createGuard,
  ed25519Signer,
  formatConnection,
  foundApp,
  type Guard,
  memoryEvidence,
  randomBytes,
  type SigningKey,
  verifyChain,
} from "@guard/core";
import type {} from "@vitest/browser-playwright";
import { afterEach, expect, it } from "vitest";
import { openDevice } from "../device.ts";
import { enrol } from "../enrol.ts";
import type { DeviceProfile } from "../profile.ts";
import { operatorToken, testRelay } from "../relay.fixture.ts";
import { createBrowserKeys } from "./keys.ts";
import { inPage } from "./page.fixture.ts";
import { passkeysAvailable, signerOf } from "./passkey.ts";
import { openBrowserStore } from "./store.ts";
import { exclusively, keepStorage } from "./tabs.ts";

const alice = "alice@example.com";

async function enrolled(passkey: boolean) {
  const { url, fetch } = await testRelay({ now: Date.now() });
  const root = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: url, operatorToken, signer: root, fetch });
  const inviting = await owner.invite({ identity: alice });
  const named = { identity: alice, name: "page" };
  const enrolling = await enrol({
    invitation: inviting.invitation,
    name: named.name,
    origin: location.origin,
    store: await openBrowserStore(),
    keys: () => createBrowserKeys(passkey ? { passkey: named } : {}),
    fetch,
  });
  await (await inviting.waitForDevice({ interval: 20 })).confirm();
  await enrolling.waitUntilEnrolled({ interval: 20 });
  const evidence = memoryEvidence();
  const guard = createGuard({
    connection: formatConnection(await owner.addAgent("support")),
    approvers: [alice],
    evidence,
    rosterStore: null,
    fetch,
  });
  return { owner, guard, evidence, fetch, url };
}

/** Answers the next request as the page does after a reload. */
async function answer({ url, fetch }: { url: string; fetch: typeof globalThis.fetch }): Promise<SigningKey> {
  const store = await openBrowserStore();
  const profile = (await store.list()).find(({ relay }) => relay === url) as DeviceProfile;
  const signer = signerOf(profile);
  const device = await openDevice({ profile, store, fetch, ...(signer && { signer }) });
  for await (const view of device.requests({ signal: new AbortController().signal })) {
    if (view.state !== "pending") continue;
    const opened = await device.open(view);
    await exclusively(opened.request, () => device.decide(opened, { decision: "approve", reason: "fine" }));
    break;
  }
  return profile.key;
}

async function proved(session: Awaited<ReturnType<typeof enrolled>>, guard: Guard): Promise<void> {
  await guard.close();
  const { evidence, owner } = session;
  const report = await verifyChain(evidence.lines, { roster: owner.roster(), checkpoint: null });
  expect(report.problems).toEqual([]);
}

inPage("a session in a page", () => {
  it("signs with a key that never leaves WebCrypto", async () => {
    const session = await enrolled(false);
    const asked = session.guard.run({ tool: "refund", args: { amount: 900 } }, ({ args }) => args);
    expect((await answer(session)).kind).toBe("ed25519");
    expect(await asked).toEqual({ amount: 900 });
    await proved(session, session.guard);
  });

  it("asks for storage that stays, and takes the browser's word", async () => {
    expect(typeof (await keepStorage())).toBe("boolean");
  });

  it("stale-decision: two tabs are at one name one after the other, whatever the first comes to", async () => {
    const done: string[] = [];
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const first = exclusively("request", async () => {
      await gate;
      done.push("first");
      throw new Error("offline");
    });
    const second = exclusively("request", async () => done.push("second"));
    await exclusively("another", async () => done.push("another"));
    open();
    await expect(first).rejects.toThrow("offline");
    await second;
    expect(done).toEqual(["another", "first", "second"]);
  });
});

inPage("a session with a passkey", () => {
  // Loaded when it is used: there is none in Node, where these tests are only listed.
  const tell = async () => (await import("vitest/browser")).cdp();
  let authenticator: string | null = null;
  async function addAuthenticator(verified: boolean): Promise<void> {
    await (await tell()).send("WebAuthn.enable");
    const { authenticatorId } = await (await tell()).send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasUserVerification: true,
        hasResidentKey: true,
        isUserVerified: verified,
        automaticPresenceSimulation: true,
      },
    });
    authenticator = authenticatorId;
  }
  afterEach(async () => {
    if (authenticator)
      await (await tell()).send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: authenticator });
    authenticator = null;
  });

  it("signs with user verification, over the statement's digest; agent and verifier accept it", async () => {
    await addAuthenticator(true);
    expect(await passkeysAvailable()).toBe(true);
    const session = await enrolled(true);
    const asked = session.guard.run({ tool: "refund", args: { amount: 900 } }, ({ args }) => args);
    expect(await answer(session)).toMatchObject({ kind: "webauthn", alg: "ES256", rpId: location.hostname });
    expect(await asked).toEqual({ amount: 900 });
    await proved(session, session.guard);
  });

  it("a prompt that was refused signs nothing and may be tried again", async () => {
    await addAuthenticator(true);
    const session = await enrolled(true);
    const asked = session.guard.run({ tool: "refund", args: { amount: 901 } }, ({ args }) => args);
    const authenticatorId = authenticator as string;
    await (await tell()).send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await expect(answer(session)).rejects.toMatchObject({ code: "cancelled" });
    await (await tell()).send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
    await answer(session);
    expect(await asked).toEqual({ amount: 901 });
    await session.guard.close();
  });

  it("where the prompt is refused, no device is enrolled", async () => {
    await addAuthenticator(false);
    const store = await openBrowserStore();
    const before = (await store.list()).length;
    await expect(enrolled(true)).rejects.toMatchObject({ code: "cancelled" });
    expect(await store.list()).toHaveLength(before);
  });
});
