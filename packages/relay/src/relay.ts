/**
 * The relay as one object: a database, the domain over it, and HTTP in front, with or without sockets.
 *
 * Guarantees: what was acknowledged is on disk; expiry goes by its clock, across restarts; closing finishes
 * what is in flight.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Server } from "@grpc/grpc-js";
import {
  base64url,
  ConfigurationError,
  ed25519Signer,
  fromBase64url,
  randomBytes,
  type SigningKey,
} from "@guard/core";
import { type Logger, pino } from "pino";
import type { Context } from "./domain/context.ts";
import { newDeliveries } from "./domain/deliveries.ts";
import { newHub } from "./domain/hub.ts";
import { sweep } from "./domain/lifecycle.ts";
import { type Limits, limitsOf } from "./domain/limits.ts";
import { openRosters } from "./domain/rosters.ts";
import { httpApp, type Peer } from "./server/app.ts";
import type { RelayPage } from "./server/page.ts";
import { openRpc } from "./server/rpc.ts";
import { webSockets } from "./server/websockets.ts";
import { openStore, type Store } from "./store/store.ts";
import { addNoxy } from "./wire/noxy/index.ts";

export interface RelayOptions {
  /** Path of the SQLite database, or `:memory:`. */
  readonly database: string;
  /** Whoever has it may register apps. Without it nobody can over HTTP. */
  readonly operatorToken?: string;
  /** Seed (32 bytes) of the key that signs receipts. By default one is made at the first start, and kept in the database. */
  readonly key?: Uint8Array;
  /** Milliseconds since epoch; for tests. */
  readonly now?: () => number;
  /** Called and awaited when an agent is about to ask identities that have no active device. */
  readonly onWanted?: (app: string, identities: string[]) => Promise<void>;
  readonly limits?: Partial<Limits>;
  /** A pino logger, or false for none. By default JSON lines on stdout. */
  readonly logger?: Logger | false;
  /** Origins of the pages that may call this relay from a browser. */
  readonly allowedOrigins?: readonly string[];
  /** The approvers' page, to be served at `/`: `await readPage()` of `@guard/approver`. It is as trusted as this relay. */
  readonly page?: RelayPage;
}

export interface Relay {
  /** Answers one HTTP request. `peer` is who called, where the caller knows; without it all share one rate. */
  fetch(request: Request, peer?: Peer): Promise<Response>;
  /** The gRPC services of the wires. `serveRelay` brings it connections. */
  readonly grpc: Server;
  /** Makes a WebSocket of an HTTP request that asks for one, or refuses it. `head` is what came after the request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, peer?: Peer): void;
  /** Ends streams and waits, finishes what is in flight, and closes the database. */
  close(): Promise<void>;
  /** Expires what is due now; returns how many requests changed. Also runs by itself, every second. */
  sweep(): number;
  /** The key that signs receipts. It belongs on every app's roster. */
  readonly key: SigningKey;
  /** Ends all streams and waits; clients come back. */
  release(): void;
}

const optionNames = new Set([
  "database",
  "operatorToken",
  "key",
  "now",
  "onWanted",
  "limits",
  "logger",
  "allowedOrigins",
  "page",
]);
const sweepInterval = 1000;
/** Milliseconds for calls and WebSockets to end by themselves. */
const graceToClose = 5000;
const shortestOperatorToken = 16;

/**
 * Opens a relay.
 * @throws ConfigurationError for unknown options, unusable limits, or a database that cannot be used
 */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  checkOptions(options);
  const limits = limitsOf(options.limits);
  const logger = options.logger === false ? null : (options.logger ?? pino());
  const store = openStore(options.database);
  try {
    const signer = await ed25519Signer(options.key ?? keptSeed(store));
    const context: Context = {
      store,
      clock: options.now ?? Date.now,
      limits,
      rosters: openRosters(store),
      hub: newHub(),
      deliveries: newDeliveries(),
      signer,
      onWanted: options.onWanted ?? null,
    };
    const app = httpApp({
      context,
      operatorToken: options.operatorToken ?? null,
      allowedOrigins: options.allowedOrigins ?? [],
      page: options.page ?? null,
      logger,
    });
    const rpc = openRpc(limits);
    const sockets = webSockets({ limits, allowedOrigins: options.allowedOrigins ?? [], logger });
    const noxy = addNoxy({ context, logger, grpc: rpc.server, sockets });
    sweep(context);
    const timer = setInterval(() => {
      try {
        sweep(context);
      } catch (error) {
        // Reads settle what is due by themselves, so a failed sweep delays wake-ups and decides nothing.
        logger?.error({ err: error }, "sweep failed");
      }
    }, sweepInterval);
    timer.unref();
    let closed: Promise<void> | null = null;
    return {
      fetch: app.fetch,
      key: signer.key,
      sweep: () => sweep(context),
      grpc: rpc.server,
      upgrade: sockets.upgrade,
      release() {
        context.hub.release();
        // First, so that WebSockets end with the code that says: come back.
        sockets.release();
        noxy.release();
      },
      close() {
        closed ??= (async () => {
          clearInterval(timer);
          const ending = [app.drain(), rpc.close(graceToClose), sockets.close(graceToClose)];
          noxy.release();
          await Promise.all(ending);
          await noxy.idle();
          await store.close();
        })();
        return closed;
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function checkOptions(options: RelayOptions): void {
  for (const name of Object.keys(options)) {
    if (!optionNames.has(name))
      throw new ConfigurationError(
        `The relay has no option "${name}". It has ${[...optionNames].join(", ")}.`,
      );
  }
  if (typeof options.database !== "string" || options.database === "")
    throw new ConfigurationError('The relay needs a database: the path of a file, or ":memory:".');
  if (options.operatorToken !== undefined && options.operatorToken.length < shortestOperatorToken)
    throw new ConfigurationError(
      `The operator token has to have at least ${shortestOperatorToken} characters.`,
    );
  if (options.key !== undefined && options.key.length !== 32)
    throw new ConfigurationError("The relay's key has to be a seed of 32 bytes.");
  for (const origin of options.allowedOrigins ?? []) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new ConfigurationError(
        `${JSON.stringify(origin)} is not an origin. Write it like https://approve.example.com.`,
      );
  }
}

function keptSeed(store: Store): Uint8Array {
  const kept = store.meta.get("receipt-seed");
  if (kept !== null) return fromBase64url(kept, 32);
  const seed = randomBytes(32);
  store.now((unit) => unit.meta.set("receipt-seed", base64url(seed)));
  return seed;
}
