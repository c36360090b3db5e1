/**
 * A network between the page and its relay that fails as real ones do: while it hangs, bytes stop and nobody is told,
 * and connections from before that stay dead afterwards, as those of a machine that slept.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Network {
  /** Where the relay is reached through it. */
  readonly url: string;
  /** Nothing passes from now on, and nothing is closed. */
  hang(): void;
  /** New connections pass again; those from before stay as dead as they are. */
  pass(): void;
  /** How many connections were made through it so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export async function networkTo(relay: string): Promise<Network> {
  const port = Number(new URL(relay).port);
  const pairs = new Set<readonly [Socket, Socket]>();
  let hanging = false;
  let connections = 0;
  const stop = (pair: readonly [Socket, Socket]) => {
    const [near, far] = pair;
    near.unpipe(far).pause();
    far.unpipe(near).pause();
  };
  const server = createServer((near) => {
    connections++;
    const far = connect({ host: "127.0.0.1", port });
    const pair = [near, far] as const;
    pairs.add(pair);
    // Either end may go at any time; the other one is then of no use.
    for (const socket of pair) socket.on("error", () => socket.destroy());
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
    near.pipe(far);
    far.pipe(near);
    if (hanging) stop(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hang() {
      hanging = true;
      for (const pair of pairs) stop(pair);
    },
    pass() {
      hanging = false;
    },
    get connections() {
      return connections;
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      return closed;
    },
  };
}
