/** The error for each state of a request in which its action does not run. */
import {
  AlreadyExecutedError,
  CancelledError,
  ExpiredError,
  type GuardError,
  InProgressError,
  UnavailableError,
  UnknownStateError,
} from "../errors.ts";
import type { RequestState } from "../relay/api.ts";

export function stateError(state: RequestState, request: string): GuardError {
  switch (state) {
    case "expired":
      return new ExpiredError("Nobody approved in time, or the approval was not used in time. Nothing ran.", {
        request,
      });
    case "cancelled":
      return new CancelledError("The request was cancelled. Nothing ran.", { request });
    case "superseded":
      return new CancelledError("The request was replaced by a newer one for the same action.", { request });
    case "executing":
      return new InProgressError("Another process is running this action right now.", { request });
    case "completed":
      return new AlreadyExecutedError("This action has run already. Give a new key to ask for it again.", {
        request,
      });
    case "unknown":
      return new UnknownStateError(
        "This action was started and nobody knows how it ended. Find out before you ask again with a new key.",
        { request },
      );
    default:
      return new UnavailableError(
        `The relay says "${state}" of a request, which does not fit here. Nothing ran.`,
        { request },
      );
  }
}
