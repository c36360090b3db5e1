/**
 * The connection: the one secret string that an agent is configured with (`GUARD_CONNECTION`). It pins the
 * app's root key and a roster floor, so that neither the relay nor the network can substitute either.
 */
import * as z from "zod/mini";
import { canonicalJson } from "../action/canonical.ts";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import { base64url, fromBase64url, fromUtf8, utf8 } from "../crypto/encoding.ts";
import { type SigningKey, signingKeySchema } from "../crypto/signature.ts";
import { digestSchema, type Head, headSchema, readBody } from "../crypto/signed.ts";
import { ConfigurationError, isGuardError } from "../errors.ts";
import { appOf } from "../roster/records.ts";

export interface Connection {
  /** Base URL of the relay. */
  readonly relay: string;
  readonly app: string;
  /** The app's first root key: `app` is its digest. */
  readonly rootKey: SigningKey;
  readonly agent: string;
  /** Bearer token of this agent. */
  readonly token: string;
  /** 32 bytes, base64url: all of the agent's keys are derived from it. */
  readonly seed: string;
  /** The roster has to reach at least this head. */
  readonly floor: Head;
}

/** What a header can carry and the relay reads as a token. */
const bearerToken = /^[\x21-\x7e]{1,500}$/;

const connectionSchema = z.strictObject({
  type: z.literal("guard/v1/connection"),
  relay: z.string(),
  app: digestSchema,
  rootKey: signingKeySchema,
  agent: z.string().check(z.minLength(1)),
  token: z.string().check(z.regex(bearerToken, "a bearer token")),
  seed: bytesSchema(32),
  floor: headSchema,
}) as unknown as z.ZodMiniType<Connection & { readonly type: "guard/v1/connection" }>;

const prefix = "guard-connection-";

/** The connection as one word. It is a secret. */
export function formatConnection(connection: Connection): string {
  return prefix + base64url(utf8(canonicalJson({ type: "guard/v1/connection", ...connection })));
}

/** @throws ConfigurationError that says what to do, and holds nothing of the connection. */
export function parseConnection(text: string): Connection {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ConfigurationError(
      `The connection is not usable: ${why}. Copy all of what "guard agent NAME" printed into GUARD_CONNECTION.`,
      { cause },
    );
  };
  const trimmed = text.trim();
  if (!trimmed.startsWith(prefix)) refuse("it does not start with guard-connection-");
  let connection: Connection;
  try {
    const { type: _, ...rest } = readBody(
      connectionSchema,
      "guard/v1/connection",
      fromUtf8(fromBase64url(trimmed.slice(prefix.length))),
    );
    connection = rest;
  } catch (cause) {
    if (isGuardError(cause)) return refuse("it is damaged or incomplete", cause);
    throw cause;
  }
  if (appOf(connection.rootKey) !== connection.app) refuse("its app is not the digest of its root key");
  try {
    checkRelayUrl(connection.relay);
  } catch {
    // No cause: it would quote the address.
    refuse("its relay is neither an https address nor one on loopback");
  }
  return connection;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * @throws ConfigurationError unless the URL is https, or http on loopback (tokens never travel in the clear),
 * and without a user name or password in it (they would end in logs).
 */
export function checkRelayUrl(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new ConfigurationError(`The relay's address is not a URL: ${JSON.stringify(url.slice(0, 200))}.`, {
      cause,
    });
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new ConfigurationError(
      `The relay's address ${parsed.origin} holds a user name or password. Leave them out: the token is enough.`,
    );
  }
  // Joined with a call's path, "//host" would name another host, which gets the token.
  if (parsed.pathname.startsWith("//")) {
    throw new ConfigurationError(
      `The relay's address ${parsed.origin} is followed by two slashes. Write one, or none.`,
    );
  }
  const plain = parsed.protocol === "http:" && loopback.test(parsed.hostname);
  if (parsed.protocol !== "https:" && !plain) {
    throw new ConfigurationError(
      `The relay's address ${parsed.origin} would send the token in the clear. Use https, or http on loopback only.`,
    );
  }
  return parsed;
}
