/**
 * Enrolment on the device's side: makes keys, posts them authenticated by the invitation's code (which the
 * relay never sees), and waits until the owner has put the device on the roster of the app that came with it.
 */
import {
  type ApiErrorCode,
  ConfigurationError,
  createRelayClient,
  deviceIdOf,
  type Enrolment,
  ExpiredError,
  enrolmentMac,
  fingerprint,
  followRoster,
  type Invitation,
  invitationToken,
  isGuardError,
  isPassing,
  newToken,
  parseInvitation,
  pauseFor,
  type Signer,
  signObject,
  tokenHash,
} from "@guard/core";
import * as z from "zod/mini";
import { createDeviceKeys, type MadeKeys } from "./keys.ts";
import { type DeviceProfile, type DeviceStore, idOfProfile } from "./profile.ts";

export interface EnrolOptions {
  /** What `guard invite` printed, or its parsed form. */
  readonly invitation: string | Invitation;
  /** What people call this device: 1 to 100 characters. */
  readonly name: string;
  /** `terminal`, or the origin of the page on which it decides. */
  readonly origin: string;
  readonly store: DeviceStore;
  /** Makes the device's keys: `createBrowserKeys` of `@guard/device/browser`. By default software keys. */
  readonly keys?: () => Promise<MadeKeys>;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly now?: () => number;
}

export interface Enrolling {
  readonly profile: DeviceProfile;
  readonly device: string;
  /** Three groups of four digits: both people compare them. */
  readonly fingerprint: string;
  /**
   * Resolves once the owner has confirmed. Polls every second.
   * @throws ExpiredError when the invitation ends first; VerificationError where the roster is another app's.
   */
  waitUntilEnrolled(options?: { signal?: AbortSignal; interval?: number }): Promise<DeviceProfile>;
  /** Removes the keys; what the store had of this identity before is there again. */
  giveUp(): Promise<void>;
}

/** What a relay says that has not taken a device's keys, and will not. */
const refusals: ReadonlySet<ApiErrorCode> = new Set([
  "invalid",
  "unauthorized",
  "forbidden",
  "not_found",
  "already_decided",
  "expired",
  "too_large",
]);

/**
 * What the store has of this identity already is replaced, and is there again where the enrolment comes to nothing.
 * @throws VerificationError where the invitation is damaged; ExpiredError where it is too old or the relay does not
 *   know it; UnavailableError where it was used, or the relay is away
 */
export async function enrol(options: EnrolOptions): Promise<Enrolling> {
  const { name, origin, store, fetch, now = Date.now } = options;
  const invitation =
    typeof options.invitation === "string" ? parseInvitation(options.invitation) : options.invitation;
  const { relay, app, identity, expiresAt, code } = invitation;
  if (now() > expiresAt) {
    const [ended, shown] = [expiresAt, now()].map((time) => new Date(time).toISOString());
    throw new ExpiredError(
      `The invitation ended at ${ended}, and this device's clock says ${shown}. Set the clock if it is wrong, else ask for a new invitation.`,
    );
  }
  if (name.length < 1 || name.length > 100) {
    throw new ConfigurationError("A device's name has 1 to 100 characters.");
  }

  const { secrets, keys } = await (options.keys ?? createDeviceKeys)();
  const { key } = keys.signer;
  const encryptionKey = keys.decryption.publicKey;
  const token = newToken();
  const device = deviceIdOf({ app, identity, key, encryptionKey });
  const profile: DeviceProfile = {
    version: 1,
    relay,
    app,
    identity,
    device,
    name,
    origin,
    key,
    encryptionKey,
    token,
    secrets,
  };
  const facts: Omit<Enrolment, "mac"> = {
    type: "guard/v1/enrolment",
    app,
    identity,
    expiresAt,
    key,
    encryptionKey,
    name,
    origin,
    tokenHash: tokenHash(token),
  };
  const enrolment: Enrolment = { ...facts, mac: enrolmentMac(code, facts) };
  // A passkey's ceremony cannot sign these bytes; the code's MAC stands for its possession.
  const mute: Signer = { key, sign: async () => "" };
  const signed = await signObject(key.kind === "webauthn" ? mute : keys.signer, enrolment);

  const invited = createRelayClient({ url: relay, token: invitationToken(code), fetch });
  const former = (await store.list()).find((one) => idOfProfile(one) === idOfProfile(profile));
  const giveUp = () => (former ? store.save(former) : store.remove(profile));
  // Kept before it is posted: a crash in between must not lose keys that the owner may already confirm.
  await store.save(profile);
  try {
    await invited.call("POST", "/v1/enrolments", { body: { enrolment: signed }, schema: z.object({}) });
  } catch (error) {
    // Nor must an outage, which leaves open whether they arrived; but a device that works is worth more.
    const refused = isGuardError(error) && refusals.has(error.relayCode as ApiErrorCode);
    if (former || refused) await giveUp();
    if (!isGuardError(error) || (error.relayCode !== "not_found" && error.relayCode !== "unauthorized"))
      throw error;
    throw new ExpiredError(
      "The relay does not know this invitation: it has ended, or was changed on its way. Ask for a new one.",
      { cause: error },
    );
  }

  return {
    profile,
    giveUp,
    device,
    fingerprint: fingerprint(device),
    async waitUntilEnrolled({ signal = new AbortController().signal, interval = 1000 } = {}) {
      const own = createRelayClient({ url: relay, token, fetch });
      const kept = store.roster(profile);
      // The invitation's token may end with the enrolment; from then on the device's own is good.
      let client = invited;
      for (;;) {
        signal.throwIfAborted();
        try {
          const follower = followRoster({ client, app, floor: null, store: kept });
          await follower.ready();
          const roster = await follower.sync({ signal });
          if (roster.device(device)) return profile;
        } catch (error) {
          if (!isGuardError(error)) throw error;
          if (error.relayCode === "unauthorized") client = client === invited ? own : invited;
          else if (!isPassing(error)) throw error;
        }
        if (now() > expiresAt)
          throw new ExpiredError("Nobody confirmed this device in time. Ask for a new invitation.");
        await pauseFor(interval, signal);
      }
    },
  };
}
