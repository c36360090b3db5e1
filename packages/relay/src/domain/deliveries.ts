/**
 * Who of another system's devices is connected to this process. A delivery is sent after its commit, so no
 * device sees what is not durable; a connection ends when its device may not be active any more.
 */
import type { AdmittedDevice, DeviceState } from "./foreign-devices.ts";

/** A decision as it is sealed to one device. */
export interface Delivery {
  readonly decision: string;
  readonly kemCiphertext: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Why the relay ends a connection. */
export type EndReason = "revoked" | "waiting";

/** One connection of a device. */
export interface DeliverySink {
  /** Puts a delivery on the wire. @returns false where the connection has not subscribed */
  send(delivery: Delivery): boolean;
  /** The device waited when it connected, and is active now: it may subscribe. */
  activated(): void;
  /** Called once, by the relay: `waiting` where the device may not be connected for now, and may come back. */
  end(reason: EndReason): void;
}

export interface Deliveries {
  /**
   * From here on the connection is sent to and reviewed. To be called in the turn in which the device was
   * admitted, with nothing awaited in between.
   * @returns what the connection calls when it ends by itself
   */
  connect(device: AdmittedDevice, sink: DeliverySink): () => void;
  /** Whether any connection of the device took the delivery. */
  send(app: string, device: string, delivery: Delivery): boolean;
  connected(app: string, device: string): boolean;
  /**
   * Judges the connections of an app anew, or of these devices of it: some end, some are told that they are active.
   * Null: forgotten, or suspended.
   */
  review(app: string, stateOf: (device: string) => DeviceState | null, devices?: readonly string[]): void;
}

interface Connection {
  state: AdmittedDevice["state"];
  readonly sink: DeliverySink;
}

export function newDeliveries(): Deliveries {
  const apps = new Map<string, Map<string, Set<Connection>>>();
  const of = (app: string, device: string) => [...(apps.get(app)?.get(device) ?? [])];
  function leave(app: string, device: string, connection: Connection): boolean {
    const devices = apps.get(app);
    const connections = devices?.get(device);
    if (!devices || !connections?.delete(connection)) return false;
    if (connections.size === 0) devices.delete(device);
    if (devices.size === 0) apps.delete(app);
    return true;
  }
  function end(app: string, device: string, connection: Connection, reason: EndReason): void {
    if (leave(app, device, connection)) connection.sink.end(reason);
  }
  return {
    connect({ app, device, state }, sink) {
      const connection: Connection = { state, sink };
      const devices = apps.get(app) ?? new Map<string, Set<Connection>>();
      const connections = devices.get(device) ?? new Set<Connection>();
      apps.set(app, devices.set(device, connections.add(connection)));
      return () => void leave(app, device, connection);
    },
    send: (app, device, delivery) =>
      // All of them: a device that is connected twice, by a line that died unnoticed, is reached by the other.
      of(app, device).filter(({ sink }) => sink.send(delivery)).length > 0,
    connected: (app, device) => apps.get(app)?.has(device) ?? false,
    review(app, stateOf, devices = [...(apps.get(app)?.keys() ?? [])]) {
      for (const device of devices) {
        const state = stateOf(device);
        for (const connection of of(app, device)) {
          if (state === "revoked") end(app, device, connection, "revoked");
          else if (state === null) end(app, device, connection, "waiting");
          else if (state === "waiting" && connection.state === "active")
            end(app, device, connection, "waiting");
          else if (state === "active" && connection.state === "waiting") {
            connection.state = "active";
            connection.sink.activated();
          }
        }
      }
    },
  };
}
