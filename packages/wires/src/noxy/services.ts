/** Noxy's two services as grpc-js takes them. */
import { type ServiceOf, serviceOf } from "../grpc.ts";
import { AgentService } from "./agent_pb.js";
import { DeviceService } from "./device_pb.js";

export const agentService: ServiceOf<typeof AgentService> = serviceOf(AgentService);
export const deviceService: ServiceOf<typeof DeviceService> = serviceOf(DeviceService);
