/**
 * The request that an address names. Guarantees: it stays on screen with its end once it ended; one that is not in the
 * inbox (any more) is read from the relay and verified like every other; nothing is shown that was not.
 */
import { isGuardError, isPassing } from "@guard/core";
import { type Item, visible } from "@guard/device";
import { useEffect, useState } from "preact/hooks";
import { itemId } from "../inbox/places.ts";
import type { Session, SessionState } from "./session.ts";

export interface Shown {
  readonly item: Item | null;
  /** Why there is none; null while it is looked for. */
  readonly problem: string | null;
}

const none: Shown = { item: null, problem: null };

export function useItem(
  session: Session,
  { connections, items }: SessionState,
  { request, identity }: { request: string; identity: string },
): Shown {
  const id = `${request} ${identity}`;
  const [shown, setShown] = useState<Shown & { id: string }>({ ...none, id });
  const live = items.find((item) => itemId(item) === id) ?? null;
  const devices = (connections ?? []).filter(({ profile }) => profile.identity === identity);
  const ready = devices.filter(({ device }) => device !== null).length;
  const here = shown.id === id && shown.item !== null;

  useEffect(() => {
    if (live) {
      setShown({ item: live, problem: null, id });
      return;
    }
    if (connections === null) return;
    if (devices.length === 0) {
      setShown({ item: null, problem: `No device of ${visible(identity)} is enrolled here.`, id });
      return;
    }
    let over = false;
    void find().then((found) => {
      // What is shown already stays; that the relay is away says nothing new about it.
      if (!over && (found.item || !here)) setShown({ ...found, id });
    });
    return () => {
      over = true;
    };
    async function find(): Promise<Shown> {
      let problem: string | null = ready < devices.length ? null : "There is no such request.";
      for (const { device } of devices) {
        if (!device) continue;
        try {
          const opened = await device.open(await device.get(request));
          const item = { device, identity, opened };
          // What ended here does not begin again because the relay shows an older version (stale-delivery).
          const closed = opened.closed ?? session.inbox.ended(item);
          // Only what the device opened itself can be decided, so what is open stays that very object.
          const shown = closed === opened.closed ? item : { ...item, opened: { ...opened, closed } };
          return { item: shown, problem: null };
        } catch (error) {
          if (!isGuardError(error)) throw error;
          if (error.relayCode === "not_found") continue;
          problem = visible(error.message);
          if (isPassing(error)) continue;
          return { item: null, problem };
        }
      }
      return { item: null, problem };
    }
  }, [session, id, live, ready, connections === null, devices.length]);

  if (live) return { item: live, problem: null };
  return shown.id === id ? shown : none;
}
