/** What to tell the person where an answer was not taken, and whether another press makes sense. */
import { isGuardError } from "@guard/core";
import { visible } from "@guard/device";
import type { Problem } from "./decide.ts";

export function explain(error: unknown): Problem {
  const open = (text: string): Problem => ({ text, kind: "open" });
  const final = (text: string): Problem => ({ text, kind: "final" });
  if (!isGuardError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return open(
      `Something failed in this page: ${visible(message)} Nothing was confirmed. Press again to try again.`,
    );
  }
  if (error.relayCode === "already_decided") return final(visible(error.message));
  if (error.relayCode === "unauthorized" || error.relayCode === "forbidden") {
    return final(
      "This device may not answer any more: it was revoked. Your answer was not taken. Ask the owner of the app.",
    );
  }
  switch (error.code) {
    case "expired":
      return final(visible(error.message));
    case "unavailable":
      return {
        kind: "unknown",
        text: "The relay could not be reached, so nobody knows whether your answer arrived. Send it again: it counts once.",
      };
    case "rate_limited":
      return {
        kind: "unknown",
        text: "The relay asks to slow down. Wait a little, then send your answer again.",
      };
    default:
      return open(visible(error.message));
  }
}
