/** Who decides on this page, with which keys, and how each gets on with its relay. */
import { fingerprint } from "@guard/core";
import { visible } from "@guard/device";
import { useEffect, useState } from "preact/hooks";
import { fragmentOf } from "../state/routes.ts";
import type { Connection, Session, SessionState } from "../state/session.ts";

const stateWords: Record<Connection["state"], string> = {
  connecting: "connecting",
  live: "connected",
  away: "no connection, trying again",
  refused: "refused",
  unconfirmed: "waits for the owner to confirm it",
  elsewhere: "needs a reload",
};

const keyWords = {
  webauthn: "passkey: each answer asks for it",
  ed25519: "key of this browser (Ed25519), it cannot be read out",
  p256: "key of this browser (P-256), it cannot be read out",
} as const;

function DeviceCard({ connection, session }: { connection: Connection; session: Session }) {
  const { profile, state, why } = connection;
  const [asked, setAsked] = useState(false);
  const name = visible(profile.name);
  return (
    <li class="card">
      <h2 class="card-title">{visible(profile.identity)}</h2>
      <p class={`card-state ${state}`}>
        <span class="dot" aria-hidden="true" />
        {stateWords[state]}
      </p>
      {why && state !== "live" && <p class="hint">{why}</p>}
      <dl class="pairs">
        <dt>Device</dt>
        <dd>{name}</dd>
        <dt>Fingerprint</dt>
        <dd class="digits">{fingerprint(profile.device)}</dd>
        <dt>Signs with</dt>
        <dd>{keyWords[profile.key.kind]}</dd>
        <dt>Relay</dt>
        <dd>{visible(profile.relay)}</dd>
        <dt>App</dt>
        <dd class="digits">{profile.app.slice(0, 16)}</dd>
      </dl>
      {asked ? (
        <fieldset class="ask" aria-label={`Forget ${name}?`}>
          <p>
            The keys go from this browser for good; deciding here takes a new invitation. The owner should
            revoke the device as well.
          </p>
          <button type="button" class="button danger" onClick={() => void session.forget(profile)}>
            Yes, forget it
          </button>
          <button type="button" class="button" onClick={() => setAsked(false)}>
            Keep it
          </button>
        </fieldset>
      ) : (
        <button type="button" class="button" onClick={() => setAsked(true)}>
          Forget this device
        </button>
      )}
    </li>
  );
}

/** Browsers may clear what a page stored, and the keys with it, unless they promised not to. */
function Storage() {
  const [kept, setKept] = useState<boolean | null>(null);
  useEffect(() => void navigator.storage.persisted().then(setKept), []);
  const text =
    kept === null
      ? ""
      : kept
        ? "This browser promised to keep what is stored here."
        : "This browser may clear what is stored here when it runs out of space; then the keys are gone and it takes a new invitation. Installing this page helps.";
  return <p class="hint">{text}</p>;
}

export function DevicesView({ session, state }: { session: Session; state: SessionState }) {
  const connections = state.connections ?? [];
  return (
    <div class="list single">
      <h1 class="list-title">Devices</h1>
      {connections.length === 0 && <p class="empty">Nobody decides on this page yet.</p>}
      <ul class="cards">
        {connections.map((connection) => (
          <DeviceCard key={connection.profile.device} connection={connection} session={session} />
        ))}
      </ul>
      <p>
        <a class="button" href={fragmentOf({ view: "enrol" })}>
          Use another invitation
        </a>
      </p>
      <section class="remarks" aria-labelledby="remarks-title">
        <h2 id="remarks-title" class="card-title">
          Remarks
        </h2>
        {state.remarks.length === 0 ? (
          <p class="hint">What ends, and what could not be verified, is noted here.</p>
        ) : (
          <>
            <ul>
              {state.remarks.map((remark) => (
                <li key={remark}>{remark}</li>
              ))}
            </ul>
            <button type="button" class="button" onClick={() => session.clearRemarks()}>
              Clear
            </button>
          </>
        )}
      </section>
      {connections.length > 0 && <Storage />}
    </div>
  );
}
