/**
 * The requests that devices here can answer, kept live. What cannot be verified is not listed: it is reported
 * as a problem, once. What was answered or ended is not listed again by a view that is older than that and
 * came late (stale-delivery).
 */
import { isGuardError, isPassing, type RequestView } from "@guard/core";
import type { Device } from "./device.ts";
import type { OpenedRequest } from "./open.ts";
import { visible } from "./visible.ts";
import { byUrgency } from "./words.ts";

/** One request before one identity: with a quorum, two people at one screen are asked one after the other. */
export interface Item {
  readonly device: Device;
  readonly identity: string;
  readonly opened: OpenedRequest;
}

/** How a device gets on with its relay. */
export interface ConnectionStatus {
  /**
   * `live`: what waits is listed. `away`: it tries again by itself. `refused`: it does not; the device was revoked, or
   * the roster is not believed.
   */
  readonly state: "connecting" | "live" | "away" | "refused";
  /** Why it is away or refused, safe to show; else null. */
  readonly why: string | null;
}

export interface Inbox {
  /** What can be answered now, most urgent first. */
  items(): readonly Item[];
  /** Adds a device and follows it. */
  add(device: Device): void;
  /** Takes a view that a decision returned, before the stream says the same. */
  accept(device: Device, view: RequestView): Promise<void>;
  /** Follows a device no more, and lists nothing of it. */
  remove(device: Device): void;
  status(device: Device): ConnectionStatus;
  /** Why an item that is not listed (any more) cannot be answered, safe to show; null where that is not known here. */
  ended(item: Item): string | null;
  /** Tries again now: the network is back, or the page or the machine was asleep. */
  wake(): void;
  /** Stops following. */
  close(): void;
}

export function createInbox(options: {
  /** Items or the status of a device changed. */
  onChange: () => void;
  /** A remark to show; it is safe to print. */
  onRemark: (text: string) => void;
  now?: () => number;
}): Inbox {
  const { onChange, onRemark, now = Date.now } = options;
  const found = new Map<string, Item>();
  /** Requests that ended, and items that were answered: at which version, and how. */
  const over = new Map<string, { readonly version: number; readonly why: string }>();
  /** What an outage kept from being opened, by item: it is tried again once the relay is heard again. */
  const unopened = new Map<string, { readonly device: Device; readonly view: RequestView }>();
  const reported = new Set<string>();
  const followed = new Map<Device, { readonly stop: AbortController; status: ConnectionStatus }>();

  function report(text: string): void {
    if (reported.has(text)) return;
    reported.add(text);
    onRemark(visible(text));
  }

  async function accept(device: Device, view: RequestView): Promise<void> {
    if (!followed.has(device)) return;
    const { identity } = device.profile;
    const id = `${view.request} ${identity}`;
    unopened.delete(id);
    try {
      const opened = await device.open(view);
      // Another view may have been opened meanwhile, or the device removed.
      if (!followed.has(device) || isStale(id, opened)) return;
      const before = found.get(id);
      if (opened.closed === null) found.set(id, { device, identity, opened });
      else {
        const known = before ?? over.get(view.request) ?? over.get(id);
        if (!known && view.state === "pending" && opened.state === "expired") reportClock(opened);
        end(id, opened, opened.closed, before);
      }
    } catch (error) {
      if (!isGuardError(error)) throw error;
      if (isPassing(error)) {
        unopened.set(id, { device, view });
        return device.wake();
      }
      found.delete(id);
      report(`Request ${view.request.slice(0, 8)} is not shown to ${identity}: ${error.message}`);
    }
    onChange();
  }

  /** Nothing of it is shown, and a clock that runs ahead would keep every request from its person in silence. */
  function reportClock({ tool, request, expiresAt }: OpenedRequest): void {
    const [ended, shown] = [expiresAt, now()].map((time) => new Date(time).toISOString());
    report(
      `${tool} ${request.slice(0, 8)} is open at the relay, but ended at ${ended} by this device's clock, which says ${shown}. ` +
        "Set the clock if it is wrong.",
    );
  }

  function isStale(id: string, { request, version }: OpenedRequest): boolean {
    const known = [found.get(id)?.opened.version, over.get(id)?.version, over.get(request)?.version];
    return known.some((seen) => seen !== undefined && seen > version);
  }

  function end(id: string, opened: OpenedRequest, closed: string, before: Item | undefined): void {
    const { request, version, state, tool } = opened;
    found.delete(id);
    over.set(state === "pending" ? id : request, { version, why: visible(closed) });
    if (state === "pending") return;
    // Nobody else here can answer it either: it must not come up for them in between.
    for (const [other, item] of found) if (item.opened.request === request) found.delete(other);
    // What was answered here is no news here.
    const own = opened.answers.some(({ device }) => device === before?.device.profile.device);
    if (before && !own) report(`${tool} ${request.slice(0, 8)} is ${state}.`);
  }

  async function follow(device: Device, signal: AbortSignal): Promise<void> {
    const { identity } = device.profile;
    const onConnection = (problem: unknown) => {
      if (problem !== null) return setStatus(device, { state: "away", why: visible(messageOf(problem)) });
      setStatus(device, { state: "live", why: null });
      for (const { view } of [...unopened.values()].filter((one) => one.device === device)) {
        void accept(device, view);
      }
    };
    try {
      for await (const view of device.requests({ signal, onConnection })) await accept(device, view);
    } catch (error) {
      if (signal.aborted) return;
      if (!isGuardError(error)) throw error;
      clear(device);
      setStatus(device, { state: "refused", why: visible(error.message) });
      report(`${identity} is not asked here any more: ${error.message}`);
    }
  }

  function setStatus(device: Device, status: ConnectionStatus): void {
    const known = followed.get(device);
    if (!known || (known.status.state === status.state && known.status.why === status.why)) return;
    known.status = status;
    onChange();
  }

  function clear(device: Device): void {
    for (const kept of [found, unopened]) {
      for (const [id, one] of kept) if (one.device === device) kept.delete(id);
    }
  }

  return {
    items: () =>
      [...found.values()]
        .filter(({ opened }) => opened.expiresAt > now())
        .sort((a, b) => byUrgency(a.opened, b.opened) || (a.identity < b.identity ? -1 : 1)),
    add(device) {
      if (followed.has(device)) return;
      const stop = new AbortController();
      followed.set(device, { stop, status: { state: "connecting", why: null } });
      void follow(device, stop.signal);
    },
    accept,
    remove(device) {
      followed.get(device)?.stop.abort();
      followed.delete(device);
      clear(device);
      onChange();
    },
    status: (device) => followed.get(device)?.status ?? { state: "refused", why: "It is not followed here." },
    ended({ identity, opened }) {
      const known = over.get(`${opened.request} ${identity}`) ?? over.get(opened.request);
      return known?.why ?? (opened.expiresAt > now() ? null : "It is expired.");
    },
    wake() {
      for (const device of followed.keys()) device.wake();
    },
    close() {
      for (const { stop } of followed.values()) stop.abort();
    },
  };
}

const messageOf = (problem: unknown) => (problem instanceof Error ? problem.message : String(problem));
