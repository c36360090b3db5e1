/**
 * DeviceService: a session on a gRPC stream. A device that does not read is not read from either: its next request
 * is taken when the answer to the last one has left.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { ServerDuplexStream, UntypedHandleCall } from "@grpc/grpc-js";
import { device as wire } from "@guard/wires/noxy";
import { callerOf } from "../../server/rpc.ts";
import { greeting } from "./codes.ts";
import { type Leg, openSession } from "./session.ts";
import type { Wire } from "./wire.ts";

type Call = ServerDuplexStream<wire.DeviceRequest, wire.DeviceResponse>;

export function deviceHandlers(shared: Wire): { readonly handleMessage: UntypedHandleCall } {
  return { handleMessage: (call: Call) => void serve(shared, call) };
}

async function serve(shared: Wire, call: Call): Promise<void> {
  const unsent = new Set<() => void>();
  let over = false;
  const leg: Leg = {
    address: callerOf(call),
    send(response) {
      if (over) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          unsent.delete(done);
          resolve();
        };
        unsent.add(done);
        call.write(response, done);
      });
    },
    end() {
      if (over) return;
      over = true;
      session.close();
      call.end();
    },
  };
  const session = openSession(shared, leg);
  call.once("close", () => {
    over = true;
    session.close();
    for (const done of unsent) done();
  });
  call.sendMetadata(greeting());
  try {
    // Its own side stays open when the device's ends: answers and the status are still to be sent.
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      await session.take(request, toBinary(wire.DeviceRequestSchema, request).length);
      if (over) break;
    }
  } catch (error) {
    // The stream was cut, or what came on it is no message of this wire: either way gRPC has ended it.
    shared.logger?.debug({ err: error, wire: "noxy" }, "stream ended");
  }
  leg.end();
}
