/** How the domain says no on another system's wire, where its clients are told more than our codes say. */
import type { ApiErrorCode } from "@guard/core";
import { Refusal } from "./refusal.ts";

/** What is wrong; a wire has its own code for each. */
export type ForeignReason =
  /** There is no such app, or the wire is not switched on for it. */
  | "no_app"
  /** There is no such device. */
  | "no_device"
  /** The device waits for the owner's confirmation. */
  | "waiting"
  /** The device, or its identity, was revoked. */
  | "revoked"
  /** The registration's MAC is not the app's. */
  | "mac"
  /** The month's decisions are used up. */
  | "quota";

const codes: Readonly<Record<ForeignReason, ApiErrorCode>> = {
  no_app: "not_found",
  no_device: "not_found",
  waiting: "unauthorized",
  revoked: "forbidden",
  mac: "invalid",
  quota: "rate_limited",
};

export class ForeignRefusal extends Refusal {
  readonly reason: ForeignReason;

  constructor(reason: ForeignReason, message: string, options: { retryAfter?: number } = {}) {
    super(codes[reason], message, options);
    this.reason = reason;
  }
}
