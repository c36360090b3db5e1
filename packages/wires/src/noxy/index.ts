/** The Noxy wire (proto/noxy): the messages of both services, and what gRPC needs to carry them. */
export * as agent from "./agent_pb.js";
export * as device from "./device_pb.js";
export { agentService, deviceService } from "./services.ts";
