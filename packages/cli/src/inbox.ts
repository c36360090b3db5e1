/**
 * The requests that this terminal's devices can answer, kept live. What cannot be verified is not listed: it
 * is reported as a problem, once.
 */
import { ConfigurationError, isGuardError, normaliseIdentity, type RequestView } from "@guard/core";
import { type Device, type DeviceStore, type OpenedRequest, openDevice, visible } from "@guard/device";
import { byUrgency } from "./words.ts";

/** One request before one identity: with a quorum, two people at one terminal are asked one after the other. */
export interface Item {
  readonly device: Device;
  readonly identity: string;
  readonly opened: OpenedRequest;
}

export interface Inbox {
  /** What can be answered now, most urgent first. */
  items(): readonly Item[];
  /** Adds a device and follows it. */
  add(device: Device): void;
  /** Takes a view that a decision returned, before the stream says the same. */
  accept(device: Device, view: RequestView): Promise<void>;
  /** Stops following. */
  close(): void;
}

export function createInbox(options: {
  onChange: () => void;
  /** A remark to show; it is safe to print. */
  onRemark: (text: string) => void;
  now?: () => number;
}): Inbox {
  const { onChange, onRemark, now = Date.now } = options;
  const found = new Map<string, Item>();
  const reported = new Set<string>();
  const stop = new AbortController();

  function report(text: string): void {
    if (reported.has(text)) return;
    reported.add(text);
    onRemark(visible(text));
  }

  async function accept(device: Device, view: RequestView): Promise<void> {
    const { identity } = device.profile;
    const id = `${view.request} ${identity}`;
    const before = found.get(id);
    if (before && before.opened.version > view.version) return;
    try {
      const opened = await device.open(view);
      if (opened.closed === null) found.set(id, { device, identity, opened });
      else {
        found.delete(id);
        // Nobody else at this terminal can answer it either: it must not come up for them in between.
        if (opened.state !== "pending") {
          for (const [other, item] of found) if (item.opened.request === view.request) found.delete(other);
        }
        if (before && opened.state !== "pending") {
          report(`${opened.tool} ${opened.request.slice(0, 8)} is ${opened.state}.`);
        }
      }
    } catch (error) {
      if (!isGuardError(error)) throw error;
      found.delete(id);
      report(`Request ${view.request.slice(0, 8)} is not shown to ${identity}: ${error.message}`);
    }
    onChange();
  }

  async function follow(device: Device): Promise<void> {
    try {
      for await (const view of device.requests({ signal: stop.signal })) await accept(device, view);
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!isGuardError(error)) throw error;
      for (const [id, item] of found) if (item.device === device) found.delete(id);
      report(`${device.profile.identity} is not asked here any more: ${error.message}`);
      onChange();
    }
  }

  return {
    items: () =>
      [...found.values()]
        .filter(({ opened }) => opened.expiresAt > now())
        .sort((a, b) => byUrgency(a.opened, b.opened) || (a.identity < b.identity ? -1 : 1)),
    add: (device) => void follow(device),
    accept,
    close: () => stop.abort(),
  };
}

/** Opens this terminal's devices, those of `identities` where any are named. @throws ConfigurationError where there is none. */
export async function openDevices(
  store: DeviceStore,
  identities: readonly string[] = [],
): Promise<readonly Device[]> {
  const wanted = new Set(identities.map(normaliseIdentity));
  const profiles = (await store.list()).filter(({ identity }) => wanted.size === 0 || wanted.has(identity));
  if (profiles.length === 0) {
    throw new ConfigurationError(
      'No device is enrolled here. Ask the owner for "guard invite", then run "guard enrol" and paste it.',
    );
  }
  return Promise.all(profiles.map((profile) => openDevice({ profile, store })));
}

/** The one item whose request id starts with `id`. @throws ConfigurationError where there is none or more than one. */
export async function findItem(devices: readonly Device[], id: string): Promise<Item> {
  if (!/^[A-Za-z0-9_-]{4,43}$/.test(id)) {
    throw new ConfigurationError("A request is named by its id, or by the first 4 characters of it or more.");
  }
  const found: Item[] = [];
  for (const device of devices) {
    const views = id.length === 43 ? await getOrNone(device, id) : await device.list();
    for (const view of views.filter(({ request }) => request.startsWith(id))) {
      found.push({ device, identity: device.profile.identity, opened: await device.open(view) });
    }
  }
  const open = found.filter(({ opened }) => opened.closed === null);
  const candidates = open.length > 0 ? open : found;
  const [item, ...others] = candidates;
  if (!item)
    throw new ConfigurationError(`No open request here starts with ${id}. "guard inbox --list" shows them.`);
  if (others.length > 0) {
    const same = others.every(({ opened }) => opened.request === item.opened.request);
    const people = candidates.map(({ identity }) => identity).join(", ");
    throw new ConfigurationError(
      same
        ? `Several people at this terminal can answer it (${people}). Say who answers with --as IDENTITY.`
        : `Several requests start with ${id}. Give more of the id.`,
    );
  }
  return item;
}

async function getOrNone(device: Device, id: string): Promise<readonly RequestView[]> {
  try {
    return [await device.get(id)];
  } catch (error) {
    if (isGuardError(error) && error.relayCode === "not_found") return [];
    throw error;
  }
}
