/**
 * A whole installation in one process: the real relay over a database in memory, an app, an agent, people with
 * devices. Nothing is mocked and nothing listens on a port.
 */
import {
  type Connection,
  ed25519Signer,
  foundApp,
  isGuardError,
  normaliseIdentity,
  type Owner,
  randomBytes,
  type Signer,
} from "@guard/core";
import { type Device, enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { createRelay, type Relay, type RelayOptions } from "@guard/relay";

export interface Bench {
  readonly relay: Relay;
  /** Takes the place of the network: hands every request to the relay. */
  readonly fetch: typeof globalThis.fetch;
  readonly url: string;
  readonly owner: Owner;
  readonly rootSigner: Signer;
  readonly connection: Connection;
  /** Enrols a device of `identity` and opens it. */
  addDevice(identity: string, name?: string): Promise<Device>;
  /** Opened devices by identity, the first one of each. */
  readonly devices: ReadonlyMap<string, Device>;
  close(): Promise<void>;
}

export interface BenchOptions {
  readonly people: readonly string[];
  readonly agent?: string;
  readonly now?: () => number;
  /** `:memory:` by default. */
  readonly database?: string;
  readonly relay?: Partial<RelayOptions>;
}

const url = "http://127.0.0.1:1";

export async function createBench(options: BenchOptions): Promise<Bench> {
  const { now = Date.now, agent = "agent" } = options;
  const operatorToken = "operator-token-of-a-test";
  const relay = await createRelay({
    database: options.database ?? ":memory:",
    operatorToken,
    logger: false,
    now,
    ...options.relay,
  });
  const fetch: typeof globalThis.fetch = async (input, init) => relay.fetch(new Request(input, init));
  const rootSigner = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: url, operatorToken, signer: rootSigner, fetch, now });
  const devices = new Map<string, Device>();

  async function addDevice(name: string, deviceName = "test"): Promise<Device> {
    const store = memoryDeviceStore();
    const profile = await enrolOwn(owner, { identity: name, name: deviceName, store, fetch, now });
    const device = await openDevice({ profile, store, fetch, now });
    const identity = normaliseIdentity(name);
    if (!devices.has(identity)) devices.set(identity, device);
    return device;
  }

  const connection = await owner.addAgent(agent);
  for (const person of options.people) await addDevice(person);
  return { relay, fetch, url, owner, rootSigner, connection, addDevice, devices, close: () => relay.close() };
}

/** Calls `see` once for every pending request that a device gets, until `signal` aborts. */
export async function watchDevice(
  device: Device,
  signal: AbortSignal,
  see: (request: string, device: Device) => void,
): Promise<void> {
  try {
    for await (const view of device.requests({ signal }))
      if (view.state === "pending") see(view.request, device);
  } catch (error) {
    if (signal.aborted) return;
    // A revoked device's stream ends; that is what a test of revocation wants.
    if (!isGuardError(error)) throw error;
  }
}
