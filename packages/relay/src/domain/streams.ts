/** Streams: first everything that is open, then every change, until either side ends it. */
import type { Roster, StreamEvent } from "@guard/core";
import type { AgentPrincipal, Context, DevicePrincipal } from "./context.ts";
import { Refusal } from "./refusal.ts";
import { list } from "./views.ts";

/** Where a stream's events go. */
export interface Sink {
  send(event: StreamEvent): void;
  /** Called when the relay ends the stream. */
  end(): void;
}

/**
 * Starts a stream. Subscribing and reading the state happen in one turn, so no change falls in between.
 * @returns what ends it from outside
 */
export function openStream(
  context: Context,
  reader: AgentPrincipal | DevicePrincipal,
  roster: Roster,
  sink: Sink,
): () => void {
  const { app, hash } = reader;
  if (context.hub.count("streams", hash) >= context.limits.streams) {
    throw new Refusal("rate_limited", "This token has too many open streams. Close one.", {
      retryAfter: 5000,
    });
  }
  const state = list(context, reader, { which: "open", roster });
  const subject = reader.kind === "agent" ? `agent:${reader.agent}` : `device:${reader.device}`;
  const leave = context.hub.listen({
    app,
    subject,
    hash,
    send: sink.send,
    end() {
      leave();
      sink.end();
    },
  });
  sink.send({ event: "state", ...state });
  return leave;
}
