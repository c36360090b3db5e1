/**
 * The browser leg: a session on a WebSocket, in frames of JSON, binary or text. What cannot be answered because it
 * has no readable id ends the connection.
 */
import { device as wire } from "@guard/wires/noxy";
import type { RawData, WebSocket } from "ws";
import type { Peer } from "../../server/app.ts";
import { DeviceRefusal } from "./codes.ts";
import { readFrame, writeFrame } from "./json.ts";
import { openSession } from "./session.ts";
import type { Wire } from "./wire.ts";

/** Where browsers connect. */
export const browserPaths = ["/", "/noxy"] as const;

/** RFC 6455 §7.4.1 */
const normal = 1000;
const unreadable = 1007;

export function browserLeg(shared: Wire): (socket: WebSocket, peer: Peer) => void {
  return (socket, { address }) => {
    const session = openSession(shared, {
      address,
      send: (response) => new Promise((resolve) => socket.send(writeFrame(response), () => resolve())),
      end() {
        session.close();
        socket.close(normal);
      },
    });
    // A browser that does not read is not read from either, past what has arrived already.
    let open = 0;
    socket.on("message", async (data: RawData) => {
      const bytes = data as Buffer;
      const frame = readText(bytes);
      if (frame === null) return socket.close(unreadable, "This is no request with a requestId, in JSON.");
      open++;
      socket.pause();
      if ("request" in frame) await session.take(frame.request, bytes.length);
      else
        await session.refuse(frame.requestId, new DeviceRefusal(wire.ErrorCode.INVALID_REQUEST, frame.wrong));
      if (--open === 0) socket.resume();
    });
    socket.once("close", session.close);
  };
}

function readText(bytes: Uint8Array): ReturnType<typeof readFrame> {
  try {
    return readFrame(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
