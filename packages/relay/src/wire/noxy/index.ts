/** The Noxy wire: its services and its browser leg, over one relay's domain. */

import type { Server } from "@grpc/grpc-js";
import { agentService, deviceService } from "@guard/wires/noxy";
import type { Logger } from "pino";
import type { Context } from "../../domain/context.ts";
import type { WebSockets } from "../../server/websockets.ts";
import { agentHandlers } from "./agent.ts";
import { browserLeg, browserPaths } from "./browser.ts";
import { deviceHandlers } from "./stream.ts";
import { newWire } from "./wire.ts";

export interface Noxy {
  /** Ends all sessions; devices come back. */
  release(): void;
  /** Resolves when no session is at work. */
  idle(): Promise<void>;
}

/** Where no app is switched on for it, every call is refused. */
export function addNoxy(options: {
  readonly context: Context;
  readonly logger: Logger | null;
  readonly grpc: Pick<Server, "addService">;
  readonly sockets: Pick<WebSockets, "at">;
}): Noxy {
  const shared = newWire(options.context, options.logger);
  options.grpc.addService(agentService, agentHandlers(shared));
  options.grpc.addService(deviceService, deviceHandlers(shared));
  for (const path of browserPaths) options.sockets.at(path, browserLeg(shared));
  return {
    release() {
      for (const session of shared.sessions) session.end();
    },
    async idle() {
      await Promise.all([...shared.sessions].map((session) => session.idle()));
    },
  };
}
