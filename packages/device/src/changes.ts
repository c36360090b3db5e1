/**
 * What changes at the relay for one device: the event stream while it works, polling while it does not.
 * A change only says that there is something to read again; it is not believed.
 */
import {
  isGuardError,
  newBackoff,
  type RelayClient,
  requestListSchema,
  type StreamEvent,
  streamChanges,
} from "@guard/core";

/**
 * Yields until `signal` aborts. Outages are waited out, with `onProblem` told about each.
 * @throws GuardError where the relay refuses the token: the device was revoked, or never confirmed.
 */
export async function* deviceChanges(options: {
  client: RelayClient;
  signal: AbortSignal;
  onProblem?: ((error: unknown) => void) | undefined;
}): AsyncGenerator<StreamEvent> {
  const { client, signal, onProblem } = options;
  const backoff = newBackoff();
  while (!signal.aborted) {
    try {
      for await (const change of streamChanges(client, signal)) {
        backoff.reset();
        yield change;
      }
    } catch (error) {
      if (signal.aborted) return;
      onProblem?.(error);
    }
    try {
      if (signal.aborted) return;
      const { value } = await client.call("GET", "/v1/requests?state=open", {
        schema: requestListSchema,
        signal,
      });
      yield { event: "state", ...value };
    } catch (error) {
      if (signal.aborted) return;
      const passing = isGuardError(error, "unavailable") || isGuardError(error, "rate_limited");
      if (!passing) throw error;
      onProblem?.(error);
    }
    await backoff.pause(signal);
  }
}
