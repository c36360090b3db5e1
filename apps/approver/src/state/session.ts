/**
 * What this page's devices are doing: one connection for each profile in the store, and one inbox for all of them.
 *
 * Guarantees: a relay that is away is tried again by itself and at once when the page wakes; a device that nobody
 * confirmed yet, or that was revoked, is told apart and said so; what another tab enrolled or forgot is so here too.
 */
import { isGuardError, isPassing, newBackoff, retryAfterIn } from "@guard/core";
import {
  type ConnectionStatus,
  createInbox,
  type Device,
  type DeviceProfile,
  type Inbox,
  type Item,
  openDevice,
  visible,
} from "@guard/device";
import { type BrowserDeviceStore, signerOf } from "@guard/device/browser";
import type { Confinement } from "./relays.ts";
import { createStore, type Store } from "./store.ts";

export interface Connection {
  readonly profile: DeviceProfile;
  /** Null until its roster was read for the first time. */
  readonly device: Device | null;
  /** `unconfirmed`: the owner has not put it on the roster. `elsewhere`: its relay takes a reload of the page. */
  readonly state: ConnectionStatus["state"] | "unconfirmed" | "elsewhere";
  /** Safe to show. */
  readonly why: string | null;
}

export interface SessionState {
  /** Null until the store was read. */
  readonly connections: readonly Connection[] | null;
  readonly items: readonly Item[];
  /** What could not be shown, and what ended: newest first. */
  readonly remarks: readonly string[];
}

export interface Session {
  readonly state: Store<SessionState>;
  readonly inbox: Inbox;
  /** Reads the store again: a profile was added or removed. */
  refresh(): Promise<void>;
  /** Removes a device's keys from this browser. */
  forget(profile: DeviceProfile): Promise<void>;
  clearRemarks(): void;
  /** Tries every relay now. */
  wake(): void;
}

/** In milliseconds: nobody sees more than that. */
const drawEvery = 60;
/** In milliseconds: a page that works is not kept from its timers for so long. */
const gap = 10_000;

interface Followed {
  readonly profile: DeviceProfile;
  readonly stop: AbortController;
  device: Device | null;
  opening: Pick<Connection, "state" | "why">;
}

export function createSession(options: { store: BrowserDeviceStore; confinement: Confinement }): Session {
  const { store, confinement } = options;
  const followed = new Map<string, Followed>();
  const pauses = new Set<AbortController>();
  const state = createStore<SessionState>({ connections: null, items: [], remarks: [] });
  const inbox = createInbox({
    onChange: update,
    onRemark: (text) => state.set({ remarks: [text, ...state.get().remarks].slice(0, 50) }),
  });

  // Hundreds of requests come at once when a device begins: they are drawn together, the first of them at once.
  let due: ReturnType<typeof setTimeout> | null = null;
  let drawn = 0;
  function update(): void {
    if (due === null) due = setTimeout(publish, Math.max(0, drawn + drawEvery - performance.now()));
  }

  function publish(): void {
    due = null;
    drawn = performance.now();
    const connections = [...followed.values()].map(({ profile, device, opening }): Connection => {
      return { profile, device, ...(device ? inbox.status(device) : opening) };
    });
    state.set({ connections, items: inbox.items() });
  }

  async function connect(one: Followed): Promise<void> {
    const { profile, stop } = one;
    const { signal } = stop;
    const backoff = newBackoff();
    while (!signal.aborted) {
      let asked = 0;
      try {
        const signer = signerOf(profile);
        const device = await openDevice({ profile, store, ...(signer && { signer }) });
        if (signal.aborted) return;
        one.device = device;
        inbox.add(device);
        update();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isGuardError(error)) throw error;
        const why = visible(error.message);
        if (isPassing(error)) one.opening = { state: "away", why };
        else if (await isUnconfirmed(profile, error)) one.opening = { state: "unconfirmed", why };
        else one.opening = { state: "refused", why };
        asked = retryAfterIn(error);
        update();
        if (one.opening.state === "refused") return;
      }
      const pause = new AbortController();
      pauses.add(pause);
      await backoff.pause(AbortSignal.any([signal, pause.signal]), asked);
      pauses.delete(pause);
      if (pause.signal.aborted) backoff.reset();
    }
  }

  /** The relay refuses a token that is not confirmed and one that was revoked alike; the roster kept here tells. */
  async function isUnconfirmed(profile: DeviceProfile, error: Error): Promise<boolean> {
    if (!isGuardError(error.cause) || error.cause.relayCode !== "unauthorized") return false;
    const entries = await store.roster(profile).load();
    return !JSON.stringify(entries ?? []).includes(profile.encryptionKey);
  }

  async function refresh(): Promise<void> {
    const profiles = new Map((await store.list()).map((profile) => [profile.device, profile]));
    for (const [id, one] of followed) {
      if (profiles.has(id)) continue;
      one.stop.abort();
      followed.delete(id);
      if (one.device) inbox.remove(one.device);
    }
    for (const [id, profile] of profiles) {
      if (followed.has(id)) continue;
      const reachable = confinement.allows(profile.relay);
      const one: Followed = {
        profile,
        stop: new AbortController(),
        device: null,
        opening: reachable
          ? { state: "connecting", why: null }
          : { state: "elsewhere", why: "Another tab enrolled it with another relay. Reload this page." },
      };
      followed.set(id, one);
      if (reachable) void connect(one);
    }
    publish();
  }

  function wake(): void {
    for (const pause of pauses) pause.abort();
    inbox.wake();
  }

  store.onChange(() => void refresh());
  let ticked = Date.now();
  // What expires leaves the inbox without anybody saying so.
  setInterval(() => {
    const since = Date.now() - ticked;
    ticked += since;
    // The machine slept, and nobody told the page: its streams may be dead.
    if (since > gap) wake();
    if (inbox.items().length !== state.get().items.length) update();
  }, 1000);

  return {
    state,
    inbox,
    refresh,
    async forget(profile) {
      await store.remove(profile);
      await refresh();
    },
    clearRemarks: () => state.set({ remarks: [] }),
    wake,
  };
}
