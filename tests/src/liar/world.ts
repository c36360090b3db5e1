/**
 * An installation for sessions behind a liar: honest approvers with devices, a clock that only goes forward, and
 * everything that a liar may hold: the relay's receipt key, a revoked device of an approver, a device of somebody
 * who is none.
 */
import { type Connection, ed25519Signer, fromBase64url, randomBytes } from "@guard/core";
import { type DeviceProfile, type DeviceStore, enrolOwn, memoryDeviceStore } from "@guard/device";
import { type Bench, createBench } from "@guard/testing";
import type { Accomplice, Accomplices } from "./accomplices.ts";

export const approvers = ["alice@example.com", "bob@example.com"] as const;

export interface Enrolled {
  readonly profile: DeviceProfile;
  readonly store: DeviceStore;
}

export interface World {
  readonly bench: Bench;
  readonly now: () => number;
  /** Moves everybody's clock. */
  jump(ms: number): void;
  /** The approvers' own devices. */
  readonly devices: readonly Enrolled[];
  readonly accomplices: Accomplices;
  /** Another device of somebody. */
  enrol(identity: string): Promise<Enrolled>;
  /** From now on the approver with this index decides on another device. */
  replace(index: number, enrolled: Enrolled): void;
  /** A new agent, whose connection knows the roster as it is now. */
  agent(): Promise<Connection>;
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  let ahead = 0;
  let agents = 0;
  const now = () => Date.now() + ahead;
  const seed = randomBytes(32);
  const rate = { perSecond: 1e6, burst: 1e6 };
  const bench = await createBench({
    people: [],
    now,
    relay: { key: seed, limits: { tokenRate: rate, addressRate: rate, streams: 1000 } },
  });
  async function enrol(identity: string): Promise<Enrolled> {
    const store = memoryDeviceStore();
    const options = { identity, name: "test", store, fetch: bench.fetch, now };
    return { store, profile: await enrolOwn(bench.owner, options) };
  }
  const devices = await Promise.all(approvers.map(enrol));
  const [revoked, outsider] = (await Promise.all(
    [approvers[0], "mallory@example.com"].map(async (identity) => accompliceOf(await enrol(identity))),
  )) as [Accomplice, Accomplice];
  await bench.owner.revoke({ kind: "device", id: revoked.device }, "lost");
  return {
    bench,
    now,
    jump(ms) {
      ahead += ms;
    },
    devices,
    accomplices: {
      receipts: { signer: await ed25519Signer(seed), relay: "relay" },
      devices: [revoked, outsider],
    },
    enrol,
    replace(index, enrolled) {
      devices[index] = enrolled;
    },
    async agent() {
      const { agent, seed, token } = await bench.owner.addAgent(`agent-${agents++}`);
      // The agent is on the roster below its floor already: an older roster would do for it.
      await bench.owner.renew();
      return bench.owner.connectionOf(agent, { seed, token });
    },
    close: () => bench.close(),
  };
}

/** Somebody whose device is in the liar's hands. */
export async function accompliceOf({ profile }: Enrolled): Promise<Accomplice> {
  const { identity, device, secrets } = profile;
  return { identity, device, signer: await ed25519Signer(fromBase64url(secrets.signing as string, 32)) };
}
