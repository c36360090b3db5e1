/** For tests: a roster that grows, and the keys of everybody on it. */
import { agentKeys } from "../crypto/agent-keys.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { type DecryptionKey, decryptionKey } from "../crypto/hpke.ts";
import { passkey } from "../crypto/passkey.fixture.ts";
import { ed25519Signer, type Signer } from "../crypto/signature.ts";
import type { Change } from "./entry.ts";
import { deviceIdOf } from "./records.ts";
import { appendEntry, foundRoster, type Roster, signEntry } from "./roster.ts";

export const start = 1_800_000_000_000;
export const newSigner = (): Promise<Signer> => ed25519Signer(randomBytes(32));

export interface EnrolledDevice {
  readonly device: string;
  readonly identity: string;
  readonly signer: Signer;
  readonly decryption: DecryptionKey;
}

/** Who signs an entry; the root where absent. */
export interface By {
  readonly signer: Signer;
  readonly by: string;
}

export async function growingRoster(now = start) {
  const root = await newSigner();
  let roster = await appendEntry(null, await foundRoster(root, now));
  const asRoot: By = { signer: root, by: "root" };

  const world = {
    root,
    asRoot,
    get roster(): Roster {
      return roster;
    },
    get app(): string {
      return roster.app;
    },
    async append(change: Change, { signer, by }: By = asRoot): Promise<Roster> {
      roster = await appendEntry(roster, await signEntry(roster, change, { signer, by, now }));
      return roster;
    },
    /** Puts an admin on the roster. */
    async addAdmin(admin: string): Promise<By> {
      const signer = await newSigner();
      await world.append({ kind: "admin", admin, key: signer.key });
      return { signer, by: admin };
    },
    async addAgent(agent: string) {
      const keys = await agentKeys(randomBytes(32));
      const encryptionKey = keys.decryption.publicKey;
      await world.append({ kind: "agent", agent, key: keys.signer.key, encryptionKey });
      return keys;
    },
    /** A device entry of `identity` with new keys. */
    async newDevice(identity: string, kind: "ed25519" | "webauthn" = "ed25519") {
      const signer = kind === "webauthn" ? await passkey() : await newSigner();
      const decryption = await decryptionKey(randomBytes(32));
      const keys = { identity, key: signer.key, encryptionKey: decryption.publicKey };
      const device = deviceIdOf({ app: roster.app, ...keys });
      const change = { kind: "device", device, ...keys, name: "laptop", origin: "terminal" } as const;
      return { change: change as Change & { kind: "device" }, device, identity, signer, decryption };
    },
    /** Puts an identity (if it is not there) and a device of it on the roster. */
    async enrol(identity: string, kind?: "ed25519" | "webauthn"): Promise<EnrolledDevice> {
      if (!roster.identity(identity)) await world.append({ kind: "identity", identity });
      const { change, ...device } = await world.newDevice(identity, kind);
      await world.append(change);
      return device;
    },
  };
  return world;
}

export type World = Awaited<ReturnType<typeof growingRoster>>;

/** Bytes that are an encryption key's length and nothing more, where nobody seals. */
export const anyEncryptionKey = base64url(new Uint8Array(1216));
