/**
 * A device's message is new: its nonce was not seen before, and its time is near the relay's. Nonces are kept
 * for as long as a message with them would pass by its time, so what was forgotten is too old (replay).
 */
import { device } from "@guard/wires/noxy";
import { DeviceRefusal } from "./codes.ts";

const nonceLength = 12;
/** The protocol's tolerance for clocks, in milliseconds, either way. */
const tolerance = 5 * 60_000;

export interface Seen {
  /** @throws DeviceRefusal where the nonce is malformed or known, or the time is off */
  check(message: { readonly nonce: Uint8Array; readonly timestamp: bigint }, now: number): void;
}

/** `most` nonces are remembered at once: past that messages are refused, not forgotten. */
export function seenNonces(most: number): Seen {
  // In order of arrival, with the time until which each one counts.
  const seen = new Map<string, number>();
  return {
    check({ nonce, timestamp }, now) {
      if (nonce.length !== nonceLength) {
        throw new DeviceRefusal(
          device.ErrorCode.INVALID_NONCE,
          `The nonce has ${nonce.length} bytes instead of ${nonceLength}.`,
        );
      }
      const off = timestamp - BigInt(Math.trunc(now));
      if (off > tolerance || off < -tolerance) {
        throw new DeviceRefusal(
          device.ErrorCode.REPLAY_DETECTED,
          `The message's timestamp is more than five minutes off the relay's clock, which says ${new Date(now).toISOString()}. Set the clock, and send it anew.`,
        );
      }
      for (const [old, until] of seen) {
        if (until >= now) break;
        seen.delete(old);
      }
      const key = Buffer.from(nonce).toString("latin1");
      if (seen.has(key)) {
        throw new DeviceRefusal(
          device.ErrorCode.REPLAY_DETECTED,
          "This nonce was used before. Make a new one.",
        );
      }
      if (seen.size >= most) {
        throw new DeviceRefusal(device.ErrorCode.RATE_LIMITED, "Too many messages. Slow down.", true);
      }
      seen.set(key, now + 2 * tolerance);
    },
  };
}
