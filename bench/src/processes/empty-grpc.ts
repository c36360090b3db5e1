/**
 * The least that a gRPC server can do: grpc-js on a free port, RouteDecision with the relay's own messages,
 * answered at once. Says over IPC what it uses, as the relay does.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { agentService, agent as wire } from "@guard/wires/noxy";
import type { Usage } from "./relay.ts";

const server = new Server();
server.addService(
  { routeDecision: agentService.routeDecision },
  {
    routeDecision(
      { request }: { request: wire.RouteDecisionRequest },
      done: (error: null, answer: wire.DeliveryOutcome) => void,
    ) {
      done(null, {
        $typeName: "noxy.agent.DeliveryOutcome",
        status: wire.DeliveryStatus.QUEUED,
        requestId: request.requestId,
        decisionId: request.decisionId,
      });
    },
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(`http://127.0.0.1:${port}`);
});
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  const usage: Usage = { rss: process.memoryUsage.rss(), cpu: user + system };
  process.send?.(usage);
});
process.on("disconnect", () => process.exit(0));
