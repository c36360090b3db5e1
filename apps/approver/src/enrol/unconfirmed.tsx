/** Devices of this browser that no owner confirmed yet: the fingerprint stays to be read, also after a reload. */
import { fingerprint } from "@guard/core";
import { visible } from "@guard/device";
import type { Connection } from "../state/session.ts";

export function Unconfirmed({ connections }: { connections: readonly Connection[] }) {
  return connections
    .filter(({ state }) => state === "unconfirmed")
    .map(({ profile }) => (
      <section
        key={profile.device}
        class="card"
        aria-label={`Waits to be confirmed: ${visible(profile.name)}`}
      >
        <p class="waiting" role="status">
          <span class="dot" aria-hidden="true" />
          {visible(profile.name)} waits for the owner to confirm {visible(profile.identity)}
        </p>
        <p class="fingerprint">{fingerprint(profile.device)}</p>
        <p class="hint">
          Compare these digits with what the owner sees. If the invitation is over, ask for a new one.
        </p>
      </section>
    ));
}
