/**
 * What changes at the relay for one device: the event stream while it works, polling while it does not.
 * A change only says that there is something to read again; it is not believed.
 */
import { followChanges, isPassing, type RelayClient, requestListSchema, type StreamEvent } from "@guard/core";

/**
 * Yields until `signal` aborts. Outages are waited out, with `onProblem` told about each.
 * @throws GuardError where the relay refuses the token: the device was revoked, or never confirmed.
 */
export function deviceChanges(options: {
  client: RelayClient;
  signal: AbortSignal;
  onProblem?: ((error: unknown) => void) | undefined;
}): AsyncGenerator<StreamEvent> {
  const { client, signal, onProblem } = options;
  async function poll(): Promise<StreamEvent | null> {
    try {
      const { value } = await client.call("GET", "/v1/requests?state=open", {
        schema: requestListSchema,
        signal,
        repeat: false,
      });
      return { event: "state", ...value };
    } catch (error) {
      if (signal.aborted) return null;
      if (!isPassing(error)) throw error;
      onProblem?.(error);
      return null;
    }
  }
  return followChanges({ client, signal, poll, onProblem });
}
