/**
 * Calls of the relay over gRPC. Guarantees: every call carries the token, has an end, and ends at once when its signal
 * or the client says so; it is tried three times as Noxy's SDKs do (after 100 and 200 ms, only for codes that pass by
 * themselves), no sooner than the relay asks for.
 */
import { randomUUID } from "node:crypto";
import { Client, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { ConfigurationError, pauseFor } from "@guard/core";
import { credentialsOf, nameOptions, parseEndpoint } from "./endpoint.ts";
import type { NoxyConfig } from "./options.ts";
import { refusalOf, retryAfterOf } from "./refusal.ts";

const attempts = 3;
const firstPause = 100;
/** A relay that asks for more than this is not waited for: the caller is told. */
const longestPause = 30_000;
const patience = 10_000;
const passing: readonly number[] = [
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.UNAVAILABLE,
];

export interface Calling {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for which the relay may hold the call before it answers; only ours knows that. */
  readonly hold?: number;
}

export interface Transport {
  /** Calls `method`; the message is made anew for each attempt, with a request id of its own. */
  call<Q, A>(
    method: MethodDefinition<Q, A>,
    message: (requestId: string) => Q,
    calling?: Calling,
  ): Promise<A>;
  /** Whether the relay is one of ours: it says so in every answer, and holds a question until there is an answer. */
  holds(): boolean;
  /** Aborts when `signal` does, and when the transport is closed. */
  ending(signal: AbortSignal | undefined): AbortSignal;
  /** Ends all calls, and the connection. */
  close(): void;
}

export function openTransport(config: NoxyConfig): Transport {
  const endpoint = parseEndpoint(config.endpoint);
  const client = new Client(endpoint.address, credentialsOf(endpoint, config.tls), {
    ...nameOptions(endpoint),
    // Else grpc-js answers the second and third attempt from its memory of the first.
    "grpc.initial_reconnect_backoff_ms": firstPause,
    "grpc.max_reconnect_backoff_ms": 10_000,
    // A token in plaintext does not leave this machine, whatever proxy the environment names.
    "grpc.enable_http_proxy": endpoint.plaintext ? 0 : 1,
  });
  const closing = new AbortController();
  const ending = (signal: AbortSignal | undefined) =>
    signal ? AbortSignal.any([closing.signal, signal]) : closing.signal;
  let holds = false;

  function attempt<Q, A>(method: MethodDefinition<Q, A>, message: Q, ended: AbortSignal, hold: number) {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${config.authToken}`);
    if (hold > 0) metadata.set("guard-wait-ms", String(hold));
    return new Promise<A>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        message,
        metadata,
        { deadline: Date.now() + hold + patience },
        (error, answer) => {
          ended.removeEventListener("abort", cancel);
          if (error) reject(error);
          else resolve(answer as A);
        },
      );
      function cancel() {
        reject(ended.reason as Error);
        call.cancel();
      }
      ended.addEventListener("abort", cancel, { once: true });
      call.once("metadata", (initial: Metadata) => {
        holds = initial.get("guard-relay")[0] === "1";
      });
    });
  }

  return {
    async call(method, message, { signal, hold = 0 } = {}) {
      const ended = ending(signal);
      for (let made = 1; ; made++) {
        ended.throwIfAborted();
        try {
          return await attempt(method, message(randomUUID()), ended, hold);
        } catch (error) {
          if (ended.aborted) throw ended.reason;
          if (!isServiceError(error)) throw error;
          const asked = retryAfterOf(error) ?? 0;
          if (made === attempts || !passing.includes(error.code) || asked > longestPause) {
            throw refusalOf(error, endpoint.address);
          }
          await pauseFor(Math.max(firstPause * 2 ** (made - 1), asked), ended);
        }
      }
    },
    holds: () => holds,
    ending,
    close() {
      closing.abort(
        new ConfigurationError("The client is closed. Make another one with initNoxyAgentClient."),
      );
      client.close();
    },
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === "number";
}
