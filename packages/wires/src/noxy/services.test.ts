import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { agent, agentService, device, deviceService } from "./index.ts";

test("messages go over gRPC by the paths and numbers of the published clients", () => {
  expect(agentService.routeDecision.path).toBe("/noxy.agent.AgentService/RouteDecision");
  expect(agentService.getIdentityDevices.requestStream).toBe(false);
  expect(deviceService.handleMessage).toMatchObject({
    path: "/noxy.device.DeviceService/HandleMessage",
    requestStream: true,
    responseStream: true,
  });
  const asked = create(agent.RouteDecisionRequestSchema, {
    requestId: "r",
    ciphertext: new Uint8Array([1]),
    ttlSeconds: 600,
    targetDeviceId: "d",
    kyberCt: new Uint8Array([2]),
    nonce: new Uint8Array([3]),
    decisionId: "x",
  });
  const bytes = agentService.routeDecision.requestSerialize(asked);
  expect(bytes.toString("hex")).toBe("0a017212010118d804220164" + "2a01023201033a0178");
  expect(agentService.routeDecision.requestDeserialize(bytes)).toEqual(asked);
  const answer = create(device.DeviceRequestSchema, {
    payload: {
      case: "decisionOutcome",
      value: { decisionId: "x", outcome: device.DecisionOutcomeValue.REJECT },
    },
  });
  expect(
    deviceService.handleMessage.requestDeserialize(deviceService.handleMessage.requestSerialize(answer)),
  ).toEqual(answer);
});
