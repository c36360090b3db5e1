/** Options are checked before anything is sent: an unknown key or an impossible value throws and names itself (config-fail-open). */
import { ConfigurationError } from "@guard/core";

export interface NoxyConfig {
  /** The relay: `https://relay.example.com`, or `host:port`. TLS, and port 443 where none is given. */
  readonly endpoint: string;
  /** The app token: a Noxy app's, or the token of one of our relay's agents. */
  readonly authToken: string;
  /** How long a decision may be answered, in seconds; 0 leaves it to the relay (600). */
  readonly decisionTtlSeconds: number;
  /** Whom TLS trusts. Default: what Node trusts, or the PEM file that GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names. */
  readonly tls?: {
    /** PEM of the certificate authority that signed the relay's certificate. */
    readonly ca: string | Uint8Array;
  };
}

/** How long to wait, and how often to ask a relay that does not hold the question itself. */
export interface SendDecisionAndWaitOptions {
  /** Milliseconds before the second question. Default 400. */
  readonly initialPollIntervalMs?: number;
  /** The longest pause, in milliseconds. Default 30,000. */
  readonly maxPollIntervalMs?: number;
  /** After this many milliseconds it throws. Default 900,000. */
  readonly maxWaitMs?: number;
  /** Each pause is so many times the one before. Default 1.6. */
  readonly backoffMultiplier?: number;
  /** Ends the wait at once; it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface WaitForDecisionOutcomeOptions extends SendDecisionAndWaitOptions {
  readonly decisionId: string;
  readonly identityId: string;
}

export interface CallOptions {
  /** Ends the call at once; it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

const longestTimer = 2 ** 31 - 1;
const waitKeys = ["initialPollIntervalMs", "maxPollIntervalMs", "maxWaitMs", "backoffMultiplier", "signal"];

/** @throws ConfigurationError that names the option */
export function checkConfig(config: NoxyConfig, who = "initNoxyAgentClient"): void {
  checkKeys(who, config, ["endpoint", "authToken", "decisionTtlSeconds", "tls"]);
  checkText(who, "endpoint", config.endpoint);
  checkText(who, "authToken", config.authToken);
  if (!/^[\x21-\x7e]+$/.test(config.authToken)) {
    throw new ConfigurationError(
      `${who}: authToken is the token alone, without white space and without "Bearer" before it.`,
    );
  }
  const ttl = config.decisionTtlSeconds;
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > 0xffff_ffff) {
    throw new ConfigurationError(
      `${who}: decisionTtlSeconds has to be a whole number of seconds, for instance 3600; 0 leaves it to the relay.`,
    );
  }
  if (config.tls !== undefined) checkKeys(`${who}: tls`, config.tls, ["ca"]);
}

export type CheckedWait = Required<Omit<SendDecisionAndWaitOptions, "signal">> & {
  readonly signal: AbortSignal | undefined;
};

/** The options with their defaults. @throws ConfigurationError that names the option */
export function checkWait(
  who: string,
  options: SendDecisionAndWaitOptions,
  more: readonly string[] = [],
): CheckedWait {
  checkKeys(who, options, [...more, ...waitKeys]);
  for (const name of more) checkText(who, name, (options as Readonly<Record<string, unknown>>)[name]);
  const number = (name: string, value: number, least: number, most: number) => {
    if (typeof value === "number" && value >= least && value <= most) return value;
    throw new ConfigurationError(`${who}: ${name} has to be a number from ${least} to ${most}.`);
  };
  const { initialPollIntervalMs = 400, maxPollIntervalMs = 30_000 } = options;
  const { maxWaitMs = 900_000, backoffMultiplier = 1.6, signal } = options;
  checkSignal(who, signal);
  return {
    initialPollIntervalMs: number("initialPollIntervalMs", initialPollIntervalMs, 1, longestTimer),
    maxPollIntervalMs: number("maxPollIntervalMs", maxPollIntervalMs, 1, longestTimer),
    maxWaitMs: number("maxWaitMs", maxWaitMs, 0, Number.MAX_SAFE_INTEGER),
    backoffMultiplier: number("backoffMultiplier", backoffMultiplier, 1, 1000),
    signal,
  };
}

/** @throws ConfigurationError that names the option */
export function checkCall(who: string, options: CallOptions): void {
  checkKeys(who, options, ["signal"]);
  checkSignal(who, options.signal);
}

export function checkText(who: string, name: string, value: unknown): void {
  if (typeof value !== "string" || value === "") {
    throw new ConfigurationError(`${who} needs ${name}: a string that is not empty.`);
  }
}

function checkSignal(who: string, signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ConfigurationError(`${who}: signal has to be an AbortSignal.`);
  }
}

function checkKeys(who: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(`${who} needs an object with ${known.join(", ")}.`);
  }
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `${who} has no option ${unknown.join(", ")}. It knows: ${known.join(", ")}.`,
    );
  }
}
