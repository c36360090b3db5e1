/** What a known device does: each calls the domain, and says in this wire's words what came of it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { device as wire } from "@guard/wires/noxy";
import type { Context } from "../../domain/context.ts";
import { acknowledge, answerDecision } from "../../domain/decision-answers.ts";
import type { Outcome } from "../../domain/decisions.ts";
import {
  type DeviceKeys,
  type ForeignDevice,
  revokeDevice,
  rotateDevice,
} from "../../domain/foreign-devices.ts";
import { invalid } from "./registration.ts";

type Payload = NonNullable<MessageInitShape<typeof wire.DeviceResponseSchema>["payload"]>;

const { APPROVE, REJECT } = wire.DecisionOutcomeValue;
const given = new Map<wire.DecisionOutcomeValue, "approved" | "rejected">([
  [APPROVE, "approved"],
  [REJECT, "rejected"],
]);
const standing: Readonly<Partial<Record<Outcome, wire.DecisionOutcomeValue>>> = {
  approved: APPROVE,
  rejected: REJECT,
};

/** The response has the outcome that stands, which another device may have given first. */
export async function answered(
  context: Context,
  device: ForeignDevice,
  { decisionId: decision, outcome: value }: wire.DecisionOutcome,
): Promise<Payload> {
  const answer = given.get(value) ?? invalid(`There is no outcome ${value}. Send APPROVE (0) or REJECT (1).`);
  const stands = standing[(await answerDecision(context, device, { decision, outcome: answer })).outcome];
  if (stands === undefined) return invalid("This decision expired before it was answered.");
  return { case: "decisionOutcome", value: { decisionId: decision, outcome: stands } };
}

export async function acknowledged(
  context: Context,
  device: ForeignDevice,
  { decisionId }: wire.DecisionAck,
): Promise<Payload> {
  await acknowledge(context, device, decisionId);
  return { case: "decisionAck", value: { decisionId } };
}

export async function rotated(context: Context, device: ForeignDevice, keys: DeviceKeys): Promise<Payload> {
  const { rotatedAt } = await rotateDevice(context, device, keys);
  return { case: "rotateDeviceKeys", value: { rotatedAt: BigInt(rotatedAt) } };
}

export async function revoked(context: Context, device: ForeignDevice): Promise<Payload> {
  await revokeDevice(context, device);
  return { case: "revokeDevice", value: { revokedDeviceId: device.device } };
}
