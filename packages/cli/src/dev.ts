/**
 * `guard dev`, without its screen: a relay on loopback, an app that is founded once, one agent, and the devices
 * of whoever that agent asks. Everything lives in one directory, the root key in the clear: it is for trying
 * things out, and for nothing else.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  base64url,
  canonicalJson,
  ed25519Signer,
  formatConnection,
  foundApp,
  isGuardError,
  newToken,
  type Owner,
  openOwner,
  randomBytes,
} from "@guard/core";
import { type Device, enrolOwn, openDevice, visible } from "@guard/device";
import { writePrivately } from "@guard/device/node";
import { createRelay, type RelayPage, serveRelay } from "@guard/relay";
import * as z from "zod/mini";
import { type Home, openHome, readJson } from "./home.ts";
import { linkTo } from "./page-link.ts";
import { readRootKey, writeRootKey } from "./root-key.ts";

export interface Dev {
  /** Address of the relay. */
  readonly url: string;
  readonly home: Home;
  readonly owner: Owner;
  /** What the agent needs, as `GUARD_CONNECTION`. */
  readonly connection: string;
  /** Where an agent that is started in this directory keeps its evidence, unless it says otherwise. */
  readonly evidence: string;
  /** Enrols a device of this terminal for `identity`, or opens the one that is there. */
  device(identity: string): Promise<Device>;
  close(): Promise<void>;
}

/** The page, for whoever wants to decide in a browser. */
export interface DevPage {
  readonly page: RelayPage;
  /** Where `identity` decides in a browser: the page's address, with an invitation where none of theirs has enrolled. */
  onAddress(identity: string, address: string): void;
  /** From now on what is asked goes to their browser too; what was asked before does not. */
  onEnrolled(identity: string): void;
  onRemark(text: string): void;
}

const stateSchema = z.strictObject({
  port: z.int(),
  seed: z.string(),
  token: z.string(),
});

const invitationLasts = 60 * 60_000;

/**
 * Starts everything. `onDevice` is called for each device as it is opened, before the agent's request for it
 * is answered. `only` limits whose devices are made here; without it, whoever is asked gets one.
 */
export async function startDev(options: {
  directory: string;
  onDevice?: (device: Device) => void;
  only?: readonly string[];
  page?: DevPage | undefined;
}): Promise<Dev> {
  const { directory, onDevice, only = [], page } = options;
  const home = openHome(directory);
  const stateFile = join(directory, "dev.json");
  const state = await readJson(stateFile, stateSchema);
  const operatorToken = newToken();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Set below, before the first request can arrive: nobody knows the address yet.
  let wanted: (identities: readonly string[]) => Promise<void> = async () => {};
  const relay = await createRelay({
    database: join(directory, "relay.db"),
    logger: false,
    operatorToken,
    onWanted: (_app: string, identities: readonly string[]) => wanted(identities),
    ...(page ? { page: page.page } : {}),
  });
  const listen = (port: number) => serveRelay(relay, { host: "127.0.0.1", port });
  const server = await listen(state?.port ?? 0).catch((error: unknown) => {
    // Taken by now, perhaps by another guard dev: any other one will do.
    const cause = isGuardError(error) ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    if (cause?.code !== "EADDRINUSE") throw error;
    return listen(0);
  });
  const { url } = server;

  const owner = await ownerOfDev(home, url, operatorToken);
  const secrets = { seed: state?.seed ?? base64url(randomBytes(32)), token: state?.token ?? newToken() };
  const known = owner.roster().agent("dev");
  const made = known ? owner.connectionOf("dev", secrets) : await owner.addAgent("dev", secrets);
  const connection = formatConnection(made);
  const port = Number(new URL(url).port);
  await writePrivately(stateFile, canonicalJson({ port, ...secrets }), directory);
  await moveDevices(home, owner, url);

  const devices = new Map<string, Promise<Device>>();
  async function make(identity: string): Promise<Device> {
    const kept = (await home.devices.list()).find((profile) => profile.identity === identity);
    const usable = kept && owner.roster().device(kept.device)?.revoked === false;
    const profile = usable
      ? kept
      : await enrolOwn(owner, { identity, store: home.devices, name: "guard dev" });
    const device = await openDevice({ profile, store: home.devices });
    onDevice?.(device);
    if (page) page.onAddress(identity, await addressFor(identity, page));
    return device;
  }
  const ending = new AbortController();
  /** Whoever comes with the invitation is confirmed at once: it was printed here and nowhere else. */
  async function addressFor(identity: string, { onEnrolled, onRemark }: DevPage): Promise<string> {
    // Passkeys need a name in place of an address.
    const origin = url.replace("127.0.0.1", "localhost");
    if (
      owner
        .roster()
        .devicesOf(identity)
        .some((known) => known.origin === origin)
    )
      return `${origin}/`;
    const inviting = await owner.invite({ identity, expiresIn: invitationLasts });
    inviting
      .waitForDevice({ signal: ending.signal, interval: 500 })
      .then((waiting) => {
        const confirmed = queue.then(() => waiting.confirm());
        queue = confirmed.catch(() => {});
        return confirmed;
      })
      .then(() => onEnrolled(identity))
      .catch((error: Error) => {
        if (!ending.signal.aborted) onRemark(`The page of ${visible(identity)}: ${visible(error.message)}`);
      });
    return linkTo(new URL(`${origin}/`), inviting.invitation);
  }
  // One after the other: each signs the roster's next entry.
  let queue: Promise<unknown> = Promise.resolve();
  function device(identity: string): Promise<Device> {
    let made = devices.get(identity);
    if (!made) {
      made = queue.then(() => make(identity));
      devices.set(identity, made);
      queue = made.catch(() => devices.delete(identity));
    }
    return made;
  }
  wanted = async (identities) => {
    const mine = identities.filter((identity) => only.length === 0 || only.includes(identity));
    await Promise.all(mine.map(device));
  };
  for (const identity of only) await device(identity);
  // Whoever decided here before goes on: a request may have been left open.
  if (only.length === 0) {
    for (const { identity } of await home.devices.list()) await device(identity);
  }

  return {
    url,
    home,
    owner,
    connection,
    evidence: resolve(".guard", "evidence"),
    device,
    async close() {
      ending.abort();
      await server.close();
      await relay.close();
    },
  };
}

async function ownerOfDev(home: Home, relay: string, operatorToken: string): Promise<Owner> {
  if (!(await home.hasOwner())) {
    const rootSeed = randomBytes(32);
    const signer = await ed25519Signer(rootSeed);
    const owner = await foundApp({ relay, operatorToken, signer, roster: home.roster });
    await writeRootKey(home.rootKeyFile, rootSeed, null);
    await home.saveOwner({ version: 1, relay, app: owner.app, token: owner.token });
    return owner;
  }
  const { app, token } = await home.owner();
  await home.saveOwner({ version: 1, relay, app, token });
  const neverAsked = () => Promise.reject(new Error("The root key of guard dev has no passphrase."));
  const signer = await ed25519Signer(await readRootKey(home.rootKeyFile, neverAsked));
  return openOwner({ relay, app, token, signer, roster: home.roster });
}

/** The relay may have another port than last time: profiles follow it. */
async function moveDevices(home: Home, owner: Owner, relay: string): Promise<void> {
  for (const profile of await home.devices.list()) {
    if (profile.relay === relay) continue;
    await home.devices.remove(profile);
    if (profile.app === owner.app) await home.devices.save({ ...profile, relay });
  }
}
