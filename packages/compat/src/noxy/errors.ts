/** The two errors that Noxy's SDKs have, as Guard's: `isGuardError(error, "wait_timeout")` knows the first as well. */
import { NoDeviceError, WaitTimeoutError } from "@guard/core";
import type { NoxyDeliveryOutcome } from "./types.ts";

/** Nobody had answered after `maxWaitMs`. The decision (`request`) stays open until it expires, and can be waited for again. */
export class WaitForDecisionOutcomeTimeoutError extends WaitTimeoutError {
  override readonly name: string = "WaitForDecisionOutcomeTimeoutError";
}

/** No device was asked: the identity has none, or the relay took no device's copy (`deliveries`). */
export class SendDecisionAndWaitNoDecisionIdError extends NoDeviceError {
  override readonly name: string = "SendDecisionAndWaitNoDecisionIdError";
  readonly deliveries: readonly NoxyDeliveryOutcome[];
  constructor(
    message: string,
    options: { readonly identities: readonly string[]; readonly deliveries: readonly NoxyDeliveryOutcome[] },
  ) {
    super(message, { identities: options.identities });
    this.deliveries = options.deliveries;
  }
}
