/**
 * Server-sent events (HTML Living Standard §9.2). A client that falls behind by more than `buffer` bytes is
 * disconnected: it comes back and starts from the current state.
 */
import type { StreamEvent } from "@guard/core";
import type { Sink } from "../../domain/streams.ts";

const keepAlive = 30_000;

/** The response of one stream; `open` subscribes, and returns what ends the subscription. */
export function eventStream(options: {
  buffer: number;
  signal: AbortSignal;
  open: (sink: Sink) => () => void;
}): Response {
  const encoder = new TextEncoder();
  let leave: () => void = () => {};
  let over = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  const finish = () => {
    over = true;
    clearInterval(timer);
    options.signal.removeEventListener("abort", stop);
    leave();
  };
  let stop = finish;

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const write = (text: string) => {
          if (over) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) <= 0) stop();
        };
        stop = () => {
          if (over) return;
          finish();
          controller.close();
        };
        leave = options.open({ send: (event) => write(format(event)), end: () => stop() });
        // The first event alone may have been more than the client is allowed to fall behind.
        if (over) return leave();
        timer = setInterval(() => write(": keep-alive\n\n"), keepAlive);
        timer.unref();
        if (options.signal.aborted) stop();
        else options.signal.addEventListener("abort", stop);
      },
      cancel: () => finish(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: options.buffer }),
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

function format({ event, ...data }: StreamEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
