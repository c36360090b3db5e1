/** Makes this browser a device: who invites, what it is called, the fingerprint that two people compare. */
import { formatInvitation, type Invitation } from "@guard/core";
import { type DeviceProfile, timeLeft, visible } from "@guard/device";
import { passkeysAvailable } from "@guard/device/browser";
import { useEffect, useState } from "preact/hooks";
import type { Connection } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import type { Enrolments } from "./enrolment.ts";
import { browserName, isAppleTab } from "./platform.ts";
import { Unconfirmed } from "./unconfirmed.tsx";

export function EnrolView(props: {
  enrolments: Enrolments;
  connections: readonly Connection[];
  now: number;
}) {
  const { enrolments, connections, now } = props;
  const { step, invitation, fingerprint: digits, problem } = useStore(enrolments.state);
  return (
    <div class="list single enrol">
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {step === "none" && <Unconfirmed connections={connections} />}
      {step === "none" && <Paste enrolments={enrolments} />}
      {(step === "invited" || step === "posting") && invitation && (
        <Invited
          key={invitation.code}
          invitation={invitation}
          now={now}
          posting={step === "posting"}
          replaces={connections.some(({ profile }) => isFor(profile, invitation))}
          enrolments={enrolments}
        />
      )}
      {step === "waiting" && digits && invitation && (
        <Waiting digits={digits} identity={invitation.identity} enrolments={enrolments} />
      )}
    </div>
  );
}

const isFor = (profile: DeviceProfile, { relay, app, identity }: Invitation) =>
  profile.relay === relay && profile.app === app && profile.identity === identity;

function Paste({ enrolments }: { enrolments: Enrolments }) {
  const [text, setText] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        enrolments.offer(text);
      }}
    >
      <h1 class="list-title">Decide on this device</h1>
      <p>
        The owner of an agent invites you with <code>guard invite</code>. Open the link, scan the code, or
        paste the invitation here.
      </p>
      <label class="field">
        <span>Invitation</span>
        <textarea
          rows={4}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          placeholder="guard-invite-…"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
      </label>
      <button type="submit" class="button primary" disabled={text.trim() === ""}>
        Read the invitation
      </button>
      {isAppleTab() && (
        <p class="hint">
          On an iPhone or iPad, install this page first: Share, then “Add to Home Screen”. The installed app
          has a storage of its own, and Safari may clear that of a tab.
        </p>
      )}
    </form>
  );
}

interface InvitedProps {
  readonly invitation: Invitation;
  readonly now: number;
  readonly posting: boolean;
  /** This browser has a device of that person already. */
  readonly replaces: boolean;
  readonly enrolments: Enrolments;
}

function Invited({ invitation, now, posting, replaces, enrolments }: InvitedProps) {
  const [name, setName] = useState(browserName(navigator.userAgent));
  const [available, setAvailable] = useState<boolean | null>(null);
  const [wanted, setWanted] = useState(true);
  useEffect(() => void passkeysAvailable().then(setAvailable), []);
  // Asked for all at once: what is chosen here must not change under a finger.
  if (available === null) return null;
  const passkey = available && wanted;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void enrolments.begin({ name: name.trim(), passkey });
      }}
    >
      <h1 class="list-title">You are invited to decide</h1>
      <dl class="pairs card">
        <dt>As</dt>
        <dd class="identity">{visible(invitation.identity)}</dd>
        <dt>Relay</dt>
        <dd>{visible(invitation.relay)}</dd>
        <dt>App</dt>
        <dd class="digits">{invitation.app.slice(0, 16)}</dd>
        <dt>Good for</dt>
        <dd>{timeLeft(invitation.expiresAt, now)}</dd>
      </dl>
      {replaces && (
        <p class="hint">
          {visible(invitation.identity)} has a device in this browser already. A new one takes its place.
        </p>
      )}
      {isAppleTab() && <InstallFirst invitation={invitation} />}
      <label class="field">
        <span>Name of this device</span>
        <input
          type="text"
          value={name}
          maxLength={100}
          required
          onInput={(event) => setName(event.currentTarget.value)}
          autocomplete="off"
        />
      </label>
      <label class={`check${available ? "" : " off"}`}>
        <input
          type="checkbox"
          checked={passkey}
          disabled={!available}
          onChange={(event) => setWanted(event.currentTarget.checked)}
        />
        <span>
          Sign with a passkey
          <small>
            {available
              ? "Each answer takes your finger, face or PIN. Without it, whoever holds this device unlocked can answer."
              : "This browser or address has none. A key that cannot be read out is kept in this browser instead."}
          </small>
        </span>
      </label>
      <div class="actions">
        <button type="submit" class="button primary" disabled={posting || name.trim() === ""}>
          {posting ? "Making keys …" : "Enrol this device"}
        </button>
        <button type="button" class="button" onClick={() => enrolments.cancel()} disabled={posting}>
          Not now
        </button>
      </div>
    </form>
  );
}

/** A tab of Safari and an app on the home screen do not share what they store: keys made here would stay behind. */
function InstallFirst({ invitation }: { invitation: Invitation }) {
  const [copied, setCopied] = useState<string | null>(null);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(formatInvitation(invitation));
      setCopied("Copied. Paste it in the installed app.");
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      setCopied("The browser did not allow it. Open the link again in the installed app.");
    }
  }
  return (
    <section class="card notice" aria-labelledby="install-title">
      <h2 id="install-title" class="card-title">
        Install this page first
      </h2>
      <ol>
        <li>Copy the invitation.</li>
        <li>Tap Share, then “Add to Home Screen”.</li>
        <li>Open Guard from the home screen and paste it there.</li>
      </ol>
      <button type="button" class="button" onClick={() => void copy()}>
        Copy the invitation
      </button>
      <p class="hint" aria-live="polite">
        {copied ?? "The installed app has a storage of its own, and Safari may clear that of a tab."}
      </p>
    </section>
  );
}

function Waiting(props: { digits: string; identity: string; enrolments: Enrolments }) {
  const { digits, identity, enrolments } = props;
  return (
    <section aria-labelledby="waiting-title">
      <h1 id="waiting-title" class="list-title">
        Compare this with the owner
      </h1>
      <p class="fingerprint">{digits}</p>
      <p>
        Read these digits to whoever invited you, by phone or face to face. They confirm only where they see
        the very same; if theirs differ, somebody is between you.
      </p>
      <p class="waiting" role="status">
        <span class="dot" aria-hidden="true" />
        Waiting for the owner to confirm {visible(identity)} …
      </p>
      <button type="button" class="button" onClick={() => enrolments.cancel()}>
        The digits differ: stop
      </button>
    </section>
  );
}
