/**
 * Opening a guard: from options to everything that its stages share. What is wrong with the options throws
 * before anything is contacted; the connection, roster and evidence are opened at the first use.
 */
import { agentKeys } from "../crypto/agent-keys.ts";
import { hasFiles } from "../crypto/builtin.ts";
import { fromBase64url } from "../crypto/encoding.ts";
import type { Head } from "../crypto/signed.ts";
import { ConfigurationError } from "../errors.ts";
import { openChain } from "../evidence/chain.ts";
import { fileEvidence } from "../evidence/file.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import { createPolicy } from "../policy/policy.ts";
import { createRelayClient } from "../relay/client.ts";
import { type Connection, parseConnection } from "../relay/connection.ts";
import { followRoster, type RosterFollower, type RosterStore } from "../relay/follower.ts";
import { fileRoster } from "../relay/roster-file.ts";
import { createWatcher } from "../relay/watcher.ts";
import { normaliseIdentity } from "../roster/identity.ts";
import { unwound } from "./clock.ts";
import { type Context, refreshAfter } from "./context.ts";
import type { GuardOptions } from "./options.ts";
import { Recent } from "./recent.ts";
import type { Logger } from "./types.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const refreshPause = 100;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function environment(name: string): string | undefined {
  const process = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process;
  return process?.env?.[name];
}

/** @throws ConfigurationError at once where options or rules are wrong. */
export function openGuard(options: GuardOptions): () => Promise<Context> {
  const named =
    options.approvers ??
    environment("GUARD_APPROVERS")
      ?.split(",")
      .filter((name) => name.trim() !== "");
  const policy = createPolicy({
    rules: options.policy ?? [],
    ...(named === undefined ? {} : { approvers: named }),
    ...(options.expiresIn === undefined ? {} : { expiresIn: options.expiresIn }),
    normalise: normaliseIdentity,
  });
  const selfApproval = new Set((options.selfApproval ?? []).map(normaliseIdentity));
  const node = hasFiles();
  if (!node && options.evidence === undefined) {
    throw new ConfigurationError(
      "This runtime has no files: give createGuard an evidence store, for instance memoryEvidence().",
    );
  }
  const logger = guardedLogger(options.logger ?? silent);
  const now = options.now ?? Date.now;
  const directory = options.directory ?? ".guard";
  const relay = options.relay ?? options.bridge;
  const foreign = relay ? { relay, alone: options.relay !== undefined } : null;

  return async () => {
    const connection = await readConnection(options);
    const { app, agent } = connection;
    const keys = await agentKeys(fromBase64url(connection.seed, 32));
    const client = createRelayClient({
      url: connection.relay,
      token: connection.token,
      fetch: options.fetch,
      timeout: options.requestTimeout,
      retries: options.retries,
      maxInFlight: options.maxInFlight,
    });
    const follower = followRoster({
      client,
      app,
      floor: connection.floor,
      store: rosterStore(options, directory, app, node),
    });
    await follower.ready();
    const watcher = createWatcher({
      client,
      onHead: fetchUpTo(follower, logger),
      onProblem: (error) => logger.debug({ error: String(error) }, "the relay's changes cannot be heard"),
    });
    const store: EvidenceStore =
      options.evidence ?? fileEvidence({ directory: `${directory}/evidence`, name: agent });
    const chain = await openChain({
      store,
      app,
      agent,
      signer: keys.signer,
      now,
      roster: () => follower.head(),
    });
    const notify =
      <E>(hook: ((event: E) => void | Promise<void>) | undefined, name: string) =>
      (event: E) => {
        // A hook is the application's own: it cannot change what the gate does, not even by failing.
        Promise.resolve(event)
          .then(hook)
          .catch((error: unknown) => logger.error({ error: String(error) }, `${name} threw`));
      };
    const told = new Recent<true>(10_000);
    const once = <E extends { request: string }>(kind: string, event: E, then: (event: E) => void) => {
      const id = `${kind} ${event.request}`;
      if (told.get(id)) return;
      told.set(id, true);
      then(event);
    };
    let attemptedAt = Number.NEGATIVE_INFINITY;
    return {
      app,
      agent,
      keys,
      client,
      follower,
      watcher,
      policy,
      chain,
      ledger: options.ledger ?? null,
      foreign,
      selfApproval,
      useWithin: { wait: options.useWithin?.wait ?? 5 * minute, suspend: options.useWithin?.suspend ?? day },
      rosterMaxAge: options.rosterMaxAge ?? 30 * day,
      executionTimeout: options.executionTimeout ?? 10 * minute,
      capture: options.capture ?? "digest",
      logger,
      now,
      latest: unwound(now),
      refreshRoster() {
        if (performance.now() - attemptedAt < refreshAfter) return;
        attemptedAt = performance.now();
        // Not in the way of the call that asks for it: opening a connection takes longer than all the rest of it.
        setTimeout(() => {
          follower
            .sync()
            .catch((error: unknown) =>
              logger.warn({ error: String(error) }, "the roster could not be refreshed"),
            );
        }, refreshPause);
      },
      // Once for each request, however often a suspended run checks it.
      notifyPending: (event) => once("pending", event, notify(options.onPending, "onPending")),
      notifyDecided: (event) => once("decided", event, notify(options.onDecided, "onDecided")),
    };
  };
}

/** Fetches announced heads, one fetch at a time, however many are announced meanwhile (retry-storm). */
function fetchUpTo(follower: RosterFollower, logger: Logger): (head: Head) => void {
  let wanted = 0;
  let fetching = false;
  async function fetch(): Promise<void> {
    for (let before = -1; follower.head().seq < wanted && follower.head().seq > before; ) {
      before = follower.head().seq;
      await follower.sync();
    }
  }
  return ({ seq }) => {
    wanted = Math.max(wanted, seq);
    if (fetching || wanted <= follower.head().seq) return;
    fetching = true;
    fetch()
      .catch((error: unknown) => logger.warn({ error: String(error) }, "the roster could not be fetched"))
      .finally(() => {
        fetching = false;
      });
  };
}

/** The application's log cannot change what the gate does, not even by throwing; there is nowhere to tell it. */
function guardedLogger(logger: Logger): Logger {
  const guarded = (level: keyof Logger) => (fields: object, message: string) => {
    try {
      logger[level](fields, message);
    } catch {
      // See above.
    }
  };
  return { debug: guarded("debug"), info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}

async function readConnection(options: GuardOptions): Promise<Connection> {
  const given = options.connection ?? environment("GUARD_CONNECTION");
  const text = typeof given === "function" ? await given() : given;
  if (typeof text !== "string" || text.trim() === "") {
    throw new ConfigurationError(
      'There is no connection. Set GUARD_CONNECTION to what "guard agent NAME" printed, or run under "guard dev".',
    );
  }
  return parseConnection(text);
}

function rosterStore(
  options: GuardOptions,
  directory: string,
  app: string,
  node: boolean,
): RosterStore | null {
  if (options.rosterStore !== undefined) return options.rosterStore;
  return node && options.evidence === undefined
    ? fileRoster(`${directory}/roster-${app.slice(0, 16)}.json`)
    : null;
}
