/**
 * Many devices of the Noxy wire in one process, each on a connection of its own: authenticated, registered,
 * subscribed, and silent from then on. Says when all are there, and on request how many keep-alives came.
 */
import { once } from "node:events";
import { openSession, subscribedDevice } from "../noxy.ts";

export interface Wanted {
  readonly url: string;
  readonly app: string;
  /** How many, and the number that the first one has. */
  readonly devices: number;
  readonly first: number;
}

/** How many are connected, and the keep-alives of all of them since the last time. */
export interface Connected {
  readonly connected: number;
  readonly keepAlives: number;
}

const atOnce = 20;
let connected = 0;
let keepAlives = 0;

function say(): void {
  const said: Connected = { connected, keepAlives };
  keepAlives = 0;
  process.send?.(said);
}

const [{ url, app, devices, first }] = (await once(process, "message")) as [Wanted];
const left = Array.from({ length: devices }, (_, n) => first + n).values();
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const n of left) {
      const session = await openSession(url);
      session.on("ping", () => keepAlives++);
      await subscribedDevice(session, { app, identity: `person-${n}@example.com` });
      connected++;
      session.on("close", () => connected--);
    }
  }),
);
process.on("message", say);
say();
process.on("disconnect", () => process.exit(0));
