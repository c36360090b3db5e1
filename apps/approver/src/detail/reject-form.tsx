/** Asks for the reason of a rejection. It goes to the agent, sealed, and a model may read it. */
import { longestReason } from "@guard/device";
import { useEffect, useRef } from "preact/hooks";

export function RejectForm({ reason, onReason }: { reason: string; onReason: (reason: string) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
  }, []);
  return (
    <section class="reject-form" data-step aria-labelledby="detail-reject">
      <h2 id="detail-reject">Reject</h2>
      <label>
        Why? The agent reads this; you may leave it empty.
        <textarea
          ref={field}
          rows={3}
          maxLength={longestReason}
          value={reason}
          onInput={(event) => onReason(event.currentTarget.value)}
        />
      </label>
    </section>
  );
}
