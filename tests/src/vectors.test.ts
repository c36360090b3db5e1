/**
 * Our own code against vectors/guard-v1, every file and every case: what docs/protocol.md says is what these files
 * show and what the code does. A file without a reader fails.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  actionDigest,
  agentKeys,
  appOf,
  base64url,
  canonicalJson,
  decryptionKey,
  deviceIdOf,
  digestOf,
  type Enrolment,
  enrolmentMac,
  fingerprint,
  fromBase64url,
  type Header,
  type Invitation,
  invitationToken,
  isGuardError,
  openReply,
  openRequest,
  outcomeOf,
  parseCanonical,
  parseConnection,
  parseInvitation,
  possessionText,
  type Roster,
  readEvidence,
  readHeader,
  readRoster,
  reopenRequest,
  type Signed,
  type SigningKey,
  type Statement,
  schemaDigest,
  tokenHash,
  verifyAnswer,
  verifyChain,
  verifyEnrolment,
  verifySigned,
} from "@guard/core";
import { createRelay } from "@guard/relay";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const directory = join(root, "vectors/guard-v1");
const files = readdirSync(directory).sort();

interface Case {
  readonly name: string;
}
// The files are ours, and every member that a reader takes is used: a wrong shape fails the case.
function load<T>(file: string): T & { readonly description: string } {
  return JSON.parse(readFileSync(join(directory, file), "utf8")) as T & { readonly description: string };
}
/** Whether `work` does not throw; errors that are not Guard's are not swallowed. */
async function taken(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isGuardError(error)) return false;
    throw error;
  }
}

/** The file's name → how it is read. Each declares its own tests. */
const readers: Readonly<Record<string, (file: string) => void>> = {
  "canonical.json": readCanonical,
  "actions.json": readActions,
  "keys.json": readKeys,
  "connections.json": readConnections,
  "rosters.json": readRosters,
  "requests.json": readRequests,
  "replies.json": readReplies,
  "statements.json": readStatements,
  "outcomes.json": readOutcomes,
  "conversations.json": readConversations,
  "enrolments.json": readEnrolments,
  "evidence.json": readChains,
  "files.json": readFiles,
};

test("every file has a reader, every reader a file, and every file says what it is", () => {
  expect(files).toEqual(Object.keys(readers).sort());
  for (const file of files) expect(load(file).description.length, file).toBeGreaterThan(40);
});

test("the files are what tools/make-vectors.ts makes", async () => {
  const script = join(root, "tools/make-vectors.ts");
  const run = promisify(execFile)(process.execPath, ["--conditions=@guard/source", script, "--check"]);
  expect((await run).stdout).toContain(`${files.length} files compared`);
}, 60_000);

for (const [file, read] of Object.entries(readers)) describe(file, () => read(file));

function readCanonical(file: string) {
  const { good, refused } = load<{
    good: (Case & { text: string; sha256: string })[];
    refused: (Case & { text: string })[];
  }>(file);
  test.each(good)("$name", ({ text, sha256 }) => {
    expect(canonicalJson(parseCanonical(text))).toBe(text);
    expect(digestOf(text)).toBe(sha256);
  });
  test.each(refused)("refused: $name", async ({ text }) => {
    expect(await taken(() => parseCanonical(text))).toBe(false);
  });
}

function readActions(file: string) {
  const { app, agent, salt, good, schema, result } = load<{
    app: string;
    agent: string;
    salt: string;
    good: (Case & { action: Parameters<typeof actionDigest>[2]; text: string; digest: string })[];
    schema: { tool: Parameters<typeof schemaDigest>[0]; text: string; digest: string };
    result: { value: object; text: string; digest: string };
  }>(file);
  test.each(good)("$name", ({ action, text, digest }) => {
    expect(canonicalJson({ type: "guard/v1/action", app, agent, ...action, salt })).toBe(text);
    expect(actionDigest(app, agent, action, salt)).toBe(digest);
    expect(digestOf(text)).toBe(digest);
  });
  test("delimiter-ambiguity: no two actions have one digest", () => {
    expect(new Set(good.map(({ digest }) => digest)).size).toBe(good.length);
  });
  test("a tool's schema, and a result", () => {
    expect(schemaDigest(schema.tool)).toBe(schema.digest);
    expect(digestOf(schema.text)).toBe(schema.digest);
    expect(canonicalJson({ type: "guard/v1/result", salt, result: result.value })).toBe(result.text);
    expect(digestOf(result.text)).toBe(result.digest);
  });
}

function readKeys(file: string) {
  type Mac = { value: string };
  const all = load<{
    app: { key: SigningKey; text: string; id: string };
    agent: {
      seed: string;
      app: string;
      key: string;
      derived: Record<string, string>;
      signingKey: SigningKey;
      encryptionKey: string;
      salt: Mac;
      keyId: Mac;
      requests: (Mac & { round: number })[];
      contentKey: Mac & { nonce: string };
    };
    device: { text: string; id: string; fingerprint: string };
    possession: { seq: number; key: SigningKey; text: string };
    token: { token: string; hash: string };
    invitation: {
      code: string;
      token: string;
      tokenHash: string;
      enrolment: Omit<Enrolment, "mac">;
      mac: string;
    };
  }>(file);
  test("an agent's keys", async () => {
    const { agent } = all;
    const keys = await agentKeys(fromBase64url(agent.seed, 32));
    expect(keys.signer.key).toEqual(agent.signingKey);
    expect(keys.decryption.publicKey).toBe(agent.encryptionKey);
    const seed = agent.derived["guard/v1/agent/reply"] as string;
    expect((await decryptionKey(fromBase64url(seed, 32))).publicKey).toBe(agent.encryptionKey);
    expect(keys.salt(agent.app, agent.key)).toBe(agent.salt.value);
    expect(keys.keyId(agent.app, agent.key)).toBe(agent.keyId.value);
    for (const { round, value } of agent.requests)
      expect(keys.requestId(agent.keyId.value, round)).toBe(value);
    expect(base64url(keys.contentKey(agent.contentKey.nonce))).toBe(agent.contentKey.value);
  });
  test("ids, fingerprint, possession, tokens", () => {
    const { app, device, possession, token } = all;
    expect(appOf(app.key)).toBe(app.id);
    expect(digestOf(app.text)).toBe(app.id);
    expect(deviceIdOf(JSON.parse(device.text) as Parameters<typeof deviceIdOf>[0])).toBe(device.id);
    expect(digestOf(device.text)).toBe(device.id);
    expect(fingerprint(device.id)).toBe(device.fingerprint);
    expect(possessionText(app.id, possession.seq, possession.key)).toBe(possession.text);
    expect(tokenHash(token.token)).toBe(token.hash);
  });
  test("an invitation's code", () => {
    const { code, token, tokenHash: hash, enrolment, mac } = all.invitation;
    expect(invitationToken(code)).toBe(token);
    expect(tokenHash(token)).toBe(hash);
    expect(enrolmentMac(code, enrolment)).toBe(mac);
  });
}

function readConnections(file: string) {
  const { good, refused, invitations } = load<{
    good: (Case & { text: string; connection: object })[];
    refused: (Case & { text: string })[];
    invitations: {
      good: (Case & { text: string; invitation: Invitation })[];
      refused: (Case & { text: string })[];
    };
  }>(file);
  test.each(good)("$name", ({ text, connection }) => expect(parseConnection(text)).toEqual(connection));
  test.each(refused)("refused: $name", async ({ text }) => {
    expect(await taken(() => parseConnection(text))).toBe(false);
  });
  test.each(invitations.good)("invitation: $name", ({ text, invitation }) => {
    expect(parseInvitation(text)).toEqual(invitation);
  });
  test.each(invitations.refused)("invitation refused: $name", async ({ text }) => {
    expect(await taken(() => parseInvitation(text))).toBe(false);
  });
}

function readRosters(file: string) {
  const { app, chain, head, state, cases } = load<{
    app: string;
    chain: Signed[];
    head: object;
    state: { agents: object[]; devices: object[]; identities: object[]; relays: object[]; rootKey: object };
    cases: (Case & { after: number; entries: Signed[]; valid: boolean; firstBad?: number })[];
  }>(file);
  test.each(cases)("$name", async ({ after, entries, valid, firstBad }) => {
    const all = [...chain.slice(0, after), ...entries];
    expect(await taken(() => readRoster(all, { app }))).toBe(valid);
    if (firstBad !== undefined && firstBad > 0) await readRoster(all.slice(0, firstBad), { app });
  });
  test("what the whole chain says", async () => {
    const roster = await readRoster(chain, { app });
    expect(roster.head).toEqual(head);
    expect(roster.rootKey).toEqual(state.rootKey);
    const pairs = [
      [roster.agents(), state.agents],
      [roster.devices(), state.devices],
      [roster.identities(), state.identities],
      [roster.relays(), state.relays],
    ] as const;
    for (const [records, said] of pairs) expect(records).toMatchObject(said);
  });
}

function readRequests(file: string) {
  const { agentKey, agentSeed, devices, cases } = load<{
    agentKey: SigningKey;
    agentSeed: string;
    devices: Record<string, { encryptionSeed: string; encryptionKey: string }>;
    cases: (Case & {
      device: string;
      header: Signed;
      ciphertext: string;
      wrap: { enc: string; ciphertext: string };
      valid: boolean;
      paper?: string;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ device, header: signed, ciphertext, wrap, valid, paper }) => {
    const secret = devices[device];
    const decryption = await decryptionKey(fromBase64url(secret?.encryptionSeed ?? "", 32));
    expect(decryption.publicKey).toBe(secret?.encryptionKey);
    let opened: object | null = null;
    const ok = await taken(async () => {
      const header = readHeader(signed);
      if (!(await verifySigned(agentKey, signed)) || header.agent !== "billing") return;
      opened = await openRequest({ decryption, device, header, ciphertext, wrap });
    });
    expect(ok && opened !== null).toBe(valid);
    if (!valid) return;
    expect(canonicalJson(opened)).toBe(paper);
    const keys = await agentKeys(fromBase64url(agentSeed, 32));
    expect(canonicalJson(await reopenRequest(keys, readHeader(signed), ciphertext))).toBe(paper);
  });
}

function readReplies(file: string) {
  const { agentSeed, cases } = load<{
    agentSeed: string;
    cases: (Case & {
      statement: { app: string; request: string; device: string; response: string | null };
      reply: { enc: string; ciphertext: string };
      valid: boolean;
      text?: string;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ statement, reply, valid, text }) => {
    const { decryption } = await agentKeys(fromBase64url(agentSeed, 32));
    let opened = "";
    const ok = await taken(async () => {
      opened = canonicalJson(await openReply({ decryption, statement, reply }));
    });
    expect(ok).toBe(valid);
    if (valid) expect(opened).toBe(text);
  });
}

type Question = Pick<Header, "app" | "request" | "requestDigest" | "actionDigest" | "terms" | "expiresAt">;

let whole: Promise<Roster> | undefined;
async function rosterAt(seq: number): Promise<Roster> {
  const { app, chain } = load<{ app: string; chain: Signed[] }>("rosters.json");
  whole ??= readRoster(chain, { app });
  return (await whole).at(seq);
}

function readStatements(file: string) {
  const { question, cases } = load<{
    question: Question;
    cases: (Case & { roster: number; statement: Signed; counts: boolean })[];
  }>(file);
  test.each(cases)("$name", async ({ roster, statement, counts }) => {
    expect((await verifyAnswer(question, await rosterAt(roster), statement)) !== null).toBe(counts);
  });
}

function readOutcomes(file: string) {
  const { question, cases } = load<{
    question: Omit<Question, "terms">;
    cases: (Case & {
      terms: Question["terms"];
      roster: number;
      now: number;
      statements: Statement[];
      outcome: object;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ terms, roster, now, statements, outcome }) => {
    const by = await rosterAt(roster);
    const asked = { ...question, terms };
    expect(outcomeOf(asked, by, statements, now)).toEqual(outcome);
    expect(outcomeOf(asked, by, [...statements].reverse(), now)).toEqual(outcome);
  });
}

function readConversations(file: string) {
  interface Step {
    readonly at: number;
    readonly method: string;
    readonly path: string;
    readonly token: string | null;
    readonly body?: unknown;
    readonly status: number;
    readonly code?: string;
    readonly reply?: object;
  }
  const { relay, setup, cases } = load<{
    relay: { url: string; seed: string; operatorToken: string; key: SigningKey };
    setup: Step[];
    cases: (Case & { steps: Step[] })[];
  }>(file);
  test.each(cases)("$name", async ({ steps }) => {
    let clock = 0;
    const server = await createRelay({
      ...{ database: ":memory:", logger: false, operatorToken: relay.operatorToken },
      ...{ key: fromBase64url(relay.seed, 32), now: () => clock },
      limits: { addressRate: { perSecond: 1000, burst: 1000 } },
    });
    try {
      expect(server.key).toEqual(relay.key);
      for (const [i, { at, method, path, token, body, status, code, reply }] of [
        ...setup,
        ...steps,
      ].entries()) {
        clock = at;
        const answer = await server.fetch(
          new Request(relay.url + path, {
            method,
            headers: {
              ...(token === null ? {} : { authorization: `Bearer ${token}` }),
              ...(method === "POST" ? { "content-type": "application/json" } : {}),
            },
            ...(method === "POST" ? { body: JSON.stringify(body) } : {}),
          }),
        );
        const got = (await answer.json()) as { error?: { code: string } };
        const where = `step ${i - setup.length}: ${method} ${path} ${JSON.stringify(got).slice(0, 300)}`;
        expect({ status: answer.status, code: got.error?.code }, where).toEqual({ status, code });
        if (reply) expect(got, where).toMatchObject(reply);
      }
    } finally {
      await server.close();
    }
  });
}

function readChains(file: string) {
  const { app, rosters, cases } = load<{
    app: string;
    rosters: Record<string, Signed[]>;
    cases: (Case & {
      roster: string | null;
      checkpoint: Signed | null;
      lines: string[];
      expected: { error?: true; firstBad: number | null };
    })[];
  }>(file);
  const read = new Map<string, Promise<Roster>>();
  test.each(cases)("$name", async ({ roster, checkpoint, lines, expected }) => {
    const entries = roster === null ? null : (rosters[roster] as Signed[]);
    let by: Roster | null = null;
    if (roster !== null && entries !== null) {
      if (!read.has(roster))
        read.set(roster, readRoster(entries, { app: roster === "stranger" ? appOfFirst(entries) : app }));
      by = (await read.get(roster)) as Roster;
    }
    const verify = () => verifyChain(lines, { roster: by, checkpoint });
    if (expected.error) return expect(await taken(verify)).toBe(false);
    const report = await verify();
    expect({ ...report, firstBad: report.firstBad?.seq ?? null }).toMatchObject(expected);
  });
}

function readEnrolments(file: string) {
  const all = load<{
    invitation: Invitation;
    fingerprint: string;
    cases: (Case & { now: number; enrolment: Signed; valid: boolean })[];
  }>(file);
  test.each(all.cases)("$name", async ({ now, enrolment, valid }) => {
    expect(await taken(() => verifyEnrolment(all.invitation, enrolment, now))).toBe(valid);
  });
  test("the fingerprint of the first", async () => {
    const { now, enrolment } = all.cases[0] as (typeof all.cases)[number];
    const device = deviceIdOf(await verifyEnrolment(all.invitation, enrolment, now));
    expect(fingerprint(device)).toBe(all.fingerprint);
  });
}

function readFiles(file: string) {
  const { cases } = load<{ cases: (Case & { bytes: string; expected: object })[] }>(file);
  test.each(cases)("$name", async ({ bytes, expected }) => {
    const folder = await mkdtemp(join(tmpdir(), "guard-vectors-"));
    try {
      const path = join(folder, "chain.jsonl");
      await writeFile(path, fromBase64url(bytes));
      const report = await verifyChain(readEvidence(path), { roster: await rosterAt(23) });
      expect({ ...report, firstBad: report.firstBad?.seq ?? null }).toMatchObject(expected);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

const appOfFirst = (entries: readonly Signed[]) =>
  (JSON.parse((entries[0] as Signed).body) as { app: string }).app;
