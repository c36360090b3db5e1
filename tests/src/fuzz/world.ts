/**
 * Valid inputs, made by the real code: a relay in memory, an owner, people with devices, and an agent that had
 * one action approved, one edited, one rejected, one left open, and one approved over another system's wire. Everything that crossed the wire is kept.
 */
import {
  agentKeys,
  base64url,
  type Connection,
  canonicalJson,
  createGuard,
  createRelayClient,
  ed25519Signer,
  foreignDeviceIdOf,
  formatConnection,
  foundApp,
  fromBase64url,
  type Guard,
  type Header,
  isGuardError,
  type MemoryEvidence,
  memoryEvidence,
  type Owner,
  openReply,
  type Reply,
  type RequestView,
  randomBytes,
  readHeader,
  readStatement,
  reopenRequest,
  requestViewSchema,
  type Signed,
  type Signer,
  signObject,
} from "@guard/core";
import { type Device, enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { createRelay, type Relay } from "@guard/relay";

/** One call that crossed the wire. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly token: string | null;
  readonly body: string | null;
  readonly status: number;
  /** Null where it was a stream. */
  readonly reply: string | null;
}

export interface World {
  readonly url: string;
  readonly relay: Relay;
  readonly fetch: typeof globalThis.fetch;
  readonly operatorToken: string;
  readonly owner: Owner;
  readonly root: Signer;
  readonly connection: Connection;
  readonly keys: Awaited<ReturnType<typeof agentKeys>>;
  readonly devices: readonly Device[];
  readonly calls: readonly Call[];
  /** Views of all requests as the first device sees them; the last one is still open. */
  readonly views: readonly RequestView[];
  readonly evidence: MemoryEvidence;
  /** Canonical texts of signed and sealed objects, by type. */
  readonly bodies: Readonly<Record<string, readonly string[]>>;
  close(): Promise<void>;
}

const url = "http://127.0.0.1:1";
const unlimited = { perSecond: 1e9, burst: 1e9 };
const people = ["alice@example.com", "bob@example.com"];

export async function createWorld(): Promise<World> {
  const operatorToken = "operator-token-of-the-fuzz";
  const limits = { tokenRate: unlimited, addressRate: unlimited, openRequests: 1e6, openInvitations: 1e6 };
  const relay = await createRelay({ database: ":memory:", operatorToken, logger: false, limits });
  const calls: Call[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const body = request.method === "POST" ? await request.clone().text() : null;
    const response = await relay.fetch(request);
    const streams = response.headers.get("content-type")?.startsWith("text/event-stream");
    const reply = streams ? null : await response.clone().text();
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? null;
    calls.push({
      method: request.method,
      path: pathname + search,
      token,
      body,
      status: response.status,
      reply,
    });
    return response;
  };
  const root = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: url, operatorToken, signer: root, fetch });
  const connection = await owner.addAgent("billing");
  const devices: Device[] = [];
  for (const identity of people) {
    const store = memoryDeviceStore();
    const profile = await enrolOwn(owner, { identity, name: "laptop", store, fetch });
    devices.push(await openDevice({ profile, store, fetch }));
  }
  const [alice] = devices as [Device];
  await owner.setForeign({
    ...{ wire: "noxy", name: "Shop", signingSecret: "a secret of this app", open: false },
    ...{ quota: 1000, suspended: false },
  });
  const keysThere = { publicKey: base64url(randomBytes(32)), kemKey: base64url(randomBytes(1184)) };
  const there = { wire: "noxy", identity: people[0] as string, ...keysThere } as const;
  const foreign = foreignDeviceIdOf({ app: owner.app, ...there });
  await owner.append({ kind: "foreign", device: foreign, ...there, name: "phone" });
  const evidence = memoryEvidence();
  const options = { connection: formatConnection(connection), approvers: people, rosterStore: null, fetch };
  const guard = createGuard({ ...options, evidence, policy: [{ tool: "look*", then: "allow" }] });
  await guard.run({ tool: "lookup", args: { id: 7 } }, async () => "found");
  await answered(guard, alice, { amount: 1 }, { decision: "approve" });
  await answered(
    guard,
    alice,
    { amount: 900, to: "é\u2028" },
    { decision: "approve", args: { amount: 90 }, reason: "less" },
  );
  await answered(guard, alice, { amount: 5 }, { decision: "reject", reason: "no" });
  await guard.check({ tool: "refund", args: { amount: 3, note: ["open", { deep: [null, true, 1.5] }] } });
  await guard.close();
  const elsewhere = createGuard({
    ...options,
    evidence: memoryEvidence(),
    acceptUnsignedOutcomes: true,
    relay: {
      wire: "noxy",
      pinned: true,
      ask: async () => {},
      answer: async () => ({ decision: "approve", identity: people[0] as string, reference: "0b7c" }),
      close: async () => {},
    },
  });
  await elsewhere.run({ tool: "refund", args: { amount: 8 } }, async () => "done");
  await elsewhere.close();

  const keys = await agentKeys(fromBase64url(connection.seed));
  const client = createRelayClient({ url, token: connection.token, fetch });
  const ids = [
    ...new Set(calls.flatMap(({ path }) => /^\/v1\/requests\/([\w-]{43})\/statements/.exec(path)?.[1] ?? [])),
  ];
  const open = (await alice.list()).map(({ request }) => request);
  const views = await Promise.all([...ids, ...open].map((id) => alice.get(id)));
  const { value: gone } = await client.call("POST", "/v1/requests", {
    body: JSON.parse(
      calls.findLast(({ path, method }) => path === "/v1/requests" && method === "POST")?.body ?? "",
    ),
    schema: requestViewSchema,
  });
  const cancel = await signObject(keys.signer, {
    type: "guard/v1/cancel",
    app: connection.app,
    request: gone.request,
    time: Date.now(),
  } as { type: string });
  const bodies = bodiesOf(calls, [cancel.body]);
  for (const view of views) {
    const header = readHeader(view.header);
    const paper = await reopenRequest(keys, header, view.ciphertext);
    add(bodies, canonicalJson(paper));
    for (const reply of await repliesOf(view, header)) add(bodies, canonicalJson(reply));
  }
  for (const line of evidence.lines) {
    const { payload } = JSON.parse(line) as { payload: { checkpoint?: Signed } };
    if (payload.checkpoint) add(bodies, payload.checkpoint.body);
  }

  async function repliesOf(view: RequestView, header: Header): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (const { statement: signed, reply } of view.answers) {
      const statement = readStatement(signed);
      if (reply && statement.request === header.request)
        replies.push(await openReply({ decryption: keys.decryption, statement, reply }));
    }
    return replies;
  }
  return {
    url,
    relay,
    fetch,
    operatorToken,
    owner,
    root,
    connection,
    keys,
    devices,
    calls: [...calls],
    views,
    evidence,
    bodies,
    close: () => relay.close(),
  };
}

async function answered(
  guard: Guard,
  device: Device,
  args: { amount: number; to?: string },
  decision: Parameters<Device["decide"]>[1],
): Promise<void> {
  const running = guard
    .run({ tool: "refund", args, validate: async (value) => value }, async () => "done")
    .catch((error: unknown) => {
      if (!isGuardError(error, "rejected")) throw error;
    });
  for (;;) {
    const [view] = (await device.list()).filter(({ state }) => state === "pending");
    if (view) {
      await device.decide(await device.open(view), decision);
      return void (await running);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Every signed body that crossed the wire, by its type. */
function bodiesOf(calls: readonly Call[], more: readonly string[]): Record<string, string[]> {
  const found = new Set(more);
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { body } = value as { body?: unknown };
    if (typeof body === "string" && body.startsWith("{")) found.add(body);
    for (const member of Object.values(value)) look(member);
  };
  for (const { body, reply } of calls) for (const text of [body, reply]) if (text) look(JSON.parse(text));
  const bodies: Record<string, string[]> = {};
  for (const body of found) add(bodies, body);
  return bodies;
}

function add(bodies: Record<string, string[]>, body: string): void {
  const { type } = JSON.parse(body) as { type: string };
  bodies[type] = [...(bodies[type] ?? []), body];
}
