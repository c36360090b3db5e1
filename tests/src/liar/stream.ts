/**
 * A lying event stream: events of the honest one dropped, doubled, swapped, forged, replayed, cut in the middle of a
 * character, or followed by silence, an end or noise.
 */
import type { Choose } from "./choices.ts";
import type { LieName } from "./lies.ts";
import type { Memory } from "./memory.ts";

interface Options {
  readonly choose: Choose;
  readonly memory: Memory;
  readonly names: readonly LieName[];
  /** Events in a hundred that are lied about. */
  readonly rate: number;
}

export function lyingStream(honest: Response, options: Options): Response {
  const { body } = honest;
  if (!honest.ok || body === null) return honest;
  const encoder = new TextEncoder();
  const changes = lied(eventsOf(body), options);
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await changes.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await changes.return(undefined);
    },
  });
  return new Response(stream, { status: honest.status, headers: honest.headers });
}

/** Whole events (and comments) as text, without the empty line that ends each. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop() as string;
      yield* parts;
    }
  } finally {
    await reader.cancel();
  }
}

async function* lied(
  events: AsyncGenerator<string, void, undefined>,
  { choose, memory, names, rate }: Options,
): AsyncGenerator<string, void, undefined> {
  let held: string | null = null;
  const text = (event: string) => `${event}\n\n`;
  try {
    for await (const event of events) {
      memory.events.push(event);
      const lie = choose(100) >= 100 - rate ? names[choose(names.length)] : undefined;
      switch (lie) {
        case "withhold":
        case "swallow":
          break;
        case "repeat":
          yield text(event).repeat(2);
          break;
        case "replay":
        case "equivocate":
        case "splice":
          yield text(memory.events[choose(memory.events.length)] as string);
          yield text(event);
          break;
        case "reorder":
          if (held !== null) yield text(held);
          held = event;
          break;
        case "forge":
          yield text(
            event
              .replace(/"state":"\w+"/, '"state":"approved"')
              .replace(/"version":\d+/, `"version":${[0, 1e6, -1, '"x"'][choose(4)]}`)
              .replace(/"seq":\d+/, `"seq":${choose(50)}`),
          );
          break;
        case "truncate":
          yield event.slice(0, choose(event.length));
          return;
        case "garble":
          yield text(
            ["data: {", "event: state\ndata: null", ":\u0000", "event: request\ndata: {}"][
              choose(4)
            ] as string,
          );
          yield text(event);
          break;
        default:
          yield text(event);
      }
      if (held !== null && lie !== "reorder") {
        yield text(held);
        held = null;
      }
    }
  } finally {
    await events.return();
  }
}
