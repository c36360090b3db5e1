/**
 * A device of this browser on its way onto a roster, apart from the view: going to another view and back loses nothing.
 *
 * Guarantees: nothing is sent before somebody pressed "enrol"; an invitation of a relay that the page may not reach
 * starts the page anew, with that relay; the invitation's secret is nowhere but in memory.
 */
import { formatInvitation, type Invitation, isGuardError, parseInvitation } from "@guard/core";
import { type Enrolling, enrol, visible } from "@guard/device";
import { type BrowserDeviceStore, createBrowserKeys, keepStorage } from "@guard/device/browser";
import type { Confinement } from "../state/relays.ts";
import { createStore, type Store } from "../state/store.ts";

export interface EnrolmentState {
  readonly step: "none" | "invited" | "posting" | "waiting";
  readonly invitation: Invitation | null;
  /** What the owner compares, once it was sent. */
  readonly fingerprint: string | null;
  /** What went wrong, safe to show. */
  readonly problem: string | null;
}

export interface Enrolments {
  readonly state: Store<EnrolmentState>;
  /** Takes an invitation from a link or a paste field; false where the page starts anew for it. */
  offer(text: string): boolean;
  begin(options: { name: string; passkey: boolean }): Promise<void>;
  /** Drops the invitation, and the keys where they are not confirmed yet. */
  cancel(): void;
}

const nothing: EnrolmentState = {
  step: "none",
  invitation: null,
  fingerprint: null,
  problem: null,
};

/** After these, the same invitation is of no use any more. */
const ends: ReadonlySet<string> = new Set(["expired", "verification_failed", "validation"]);

export function createEnrolments(options: {
  store: BrowserDeviceStore;
  confinement: Confinement;
  /** A profile was added or removed. */
  onProfiles: () => Promise<void>;
  /** The owner confirmed the device. */
  onEnrolled: () => void;
  /** The page has to start anew with this fragment, to reach the invitation's relay. */
  onElsewhere: (fragment: string) => void;
}): Enrolments {
  const { store, confinement, onProfiles, onEnrolled, onElsewhere } = options;
  const state = createStore<EnrolmentState>(nothing);
  let under: { readonly stop: AbortController; enrolling: Enrolling | null } | null = null;

  function fail(error: unknown, step: EnrolmentState["step"]): void {
    // A passkey's dialog that was closed is a DOMException, or an error of the library around it.
    if (!(error instanceof Error)) throw error;
    state.set({ step, problem: visible(error.message) });
  }

  async function begin({ name, passkey }: { name: string; passkey: boolean }): Promise<void> {
    const { invitation, step } = state.get();
    if (!invitation || step !== "invited") return;
    const { identity } = invitation;
    const stop = new AbortController();
    const mine = { stop, enrolling: null as Enrolling | null };
    under = mine;
    state.set({ step: "posting", problem: null });
    try {
      const enrolling = await enrol({
        invitation,
        name,
        origin: location.origin,
        store,
        keys: () => createBrowserKeys(passkey ? { passkey: { identity, name } } : {}),
      });
      mine.enrolling = enrolling;
      if (stop.signal.aborted) return await giveUp(enrolling);
      state.set({ step: "waiting", fingerprint: enrolling.fingerprint });
      await enrolling.waitUntilEnrolled({ signal: stop.signal });
      await onProfiles();
      state.set(nothing);
      onEnrolled();
      // Some browsers ask the person, who may take a while; the devices' view says what they promised.
      await keepStorage();
    } catch (error) {
      if (stop.signal.aborted) return;
      if (mine.enrolling) await giveUp(mine.enrolling);
      // Keys that may have arrived, though the relay went away, are told of.
      else await onProfiles();
      const over = isGuardError(error) && (ends.has(error.code) || error.relayCode === "already_decided");
      if (over) state.set(nothing);
      fail(error, over ? "none" : "invited");
    }
  }

  async function giveUp(enrolling: Enrolling): Promise<void> {
    await enrolling.giveUp();
    await onProfiles();
  }

  function cancel(): void {
    under?.stop.abort();
    const unconfirmed = state.get().step === "waiting" ? (under?.enrolling ?? null) : null;
    under = null;
    state.set(nothing);
    if (unconfirmed) void giveUp(unconfirmed);
  }

  return {
    state,
    begin,
    cancel,
    offer(text) {
      try {
        const invitation = parseInvitation(text);
        if (!confinement.allows(invitation.relay)) {
          onElsewhere(`#${formatInvitation(invitation)}`);
          return false;
        }
        if (under) cancel();
        state.set({ ...nothing, step: "invited", invitation });
      } catch (error) {
        fail(error, state.get().step);
      }
      return true;
    },
  };
}
