/** What figures ask: arguments of 1 KiB, and papers about them as the gate makes them. */
import {
  type AgentKeys,
  base64url,
  canonicalJson,
  decryptionKey,
  digestOf,
  type Head,
  type Json,
  type Paper,
  randomBytes,
  sealRequest,
  type Terms,
} from "@guard/core";

/** Arguments of exactly 1,024 bytes. */
export function oneKiB(n = 0): { [name: string]: Json } {
  const args = {
    order: `A-${1_000_000 + n}`,
    amount: 900,
    currency: "EUR",
    customer: { name: "Ada Moreau", email: "ada@example.com", since: 2019, vip: false },
    lines: Array.from({ length: 6 }, (_, line) => ({ sku: `SKU-${line}`, quantity: line + 1, price: 12.5 })),
    note: "",
  };
  args.note = "n".repeat(1024 - canonicalJson(args).length);
  return args;
}

export interface Recipient {
  readonly device: string;
  readonly encryptionKey: string;
}

/** Devices that nobody has: for figures that only seal. */
export function newRecipients(count: number): Promise<Recipient[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => ({
      device: digestOf(`device ${n}`),
      encryptionKey: (await decryptionKey(randomBytes(32))).publicKey,
    })),
  );
}

/** Seals a request for `args` as the gate does; it is answerable for an hour from `at`. */
export function sealed(options: {
  keys: AgentKeys;
  app: string;
  agent: string;
  key: string;
  args: Json;
  devices: readonly Recipient[];
  approvers: readonly string[];
  roster: Head;
  at?: number;
}) {
  const { keys, app, agent, key, args, devices, approvers, roster, at = Date.now() } = options;
  const terms: Terms = { approvers, quorum: 1, rejections: 1, editable: true, requester: null };
  const paper: Paper = {
    type: "guard/v1/paper",
    nonce: base64url(randomBytes(32)),
    action: { tool: "refund", args, schemaDigest: null },
    salt: keys.salt(app, key),
    facts: { risk: "high", title: "Refund an order" },
    schema: null,
    callId: "call-1",
    session: "ticket-7",
    terms,
    policy: { version: "v", rule: "#1 refund", reasons: ["no rule allows it"] },
    createdAt: at,
    expiresAt: at + 3_600_000,
    useBy: at + 3_900_000,
    round: 0,
    supersedes: null,
    roster,
  };
  return sealRequest({ keys, paper, app, agent, keyId: keys.keyId(app, key), devices });
}
