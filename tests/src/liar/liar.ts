/**
 * A relay that lies: at every call it may tell one of its lies, to every client another one. It has seen all that
 * passed through it and may have accomplices; it has no approver's key.
 */
import { type Accomplices, nobody } from "./accomplices.ts";
import type { Choose } from "./choices.ts";
import type { Call, Lie } from "./lie.ts";
import { type LieName, lieNames, lies } from "./lies.ts";
import { newMemory } from "./memory.ts";
import { lyingStream } from "./stream.ts";
import type { Tools } from "./telling.ts";

export interface LiarOptions {
  /** A whole number from 0 to below `n`. What is lied follows from this alone. */
  readonly choose: Choose;
  /** Default: all of them. */
  readonly lies?: readonly LieName[];
  /** How many such calls in a hundred are lied about. */
  readonly rate: (call: Pick<Call, "client" | "kind">) => number;
  readonly accomplices?: Accomplices;
  /** Clients that may be kept waiting for long: those that do not try again by themselves. */
  readonly patient?: (client: string) => boolean;
  readonly now?: () => number;
  /** Told of every lie, what it was about and to whom. */
  readonly onLie?: (what: string) => void;
}

export interface Liar {
  readonly lie: Lie;
  /** From here on everything is passed on as it is, until {@link resume}. */
  repent(): void;
  resume(): void;
}

export function createLiar(options: LiarOptions): Liar {
  const { choose, rate, accomplices = nobody, patient = () => false, now = Date.now, onLie } = options;
  const names = options.lies ?? lieNames;
  const memory = newMemory();
  let delayed: { calls: number; work: () => Promise<unknown> }[] = [];
  let honest = false;

  /** Passes on what was held back, once enough other calls have come. */
  async function passOn(): Promise<void> {
    for (const each of delayed) each.calls--;
    const due = delayed.filter(({ calls }) => calls <= 0);
    delayed = delayed.filter(({ calls }) => calls > 0);
    for (const { work } of due) await work();
  }

  async function remembered(call: Call): Promise<{ status: number; value: unknown; response: Response }> {
    const response = await call.honest();
    let value: unknown = null;
    if (response.headers.get("content-type")?.includes("json")) value = await response.clone().json();
    if (response.ok && value !== null) memory.note(call.kind, value);
    return { status: response.status, value, response };
  }

  async function lie(call: Call): Promise<Response | undefined> {
    if (call.kind === "other" || honest) return undefined;
    await passOn();
    if (call.kind === "stream") {
      return lyingStream(await call.honest(), { choose, memory, names, rate: rate(call) });
    }
    if (choose(100) < 100 - rate(call)) return (await remembered(call)).response;
    const tools: Tools = {
      choose,
      memory,
      accomplices,
      now,
      patient: patient(call.client),
      async honest() {
        const { status, value, response } = await remembered(call);
        return response.ok && value !== null ? { status, value } : null;
      },
      later: (work) => delayed.push({ calls: 1 + choose(8), work }),
    };
    const first = choose(names.length);
    // Not every lie has something to say to every call: the first that has.
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const answer = await lies[name](call, tools);
      if (answer === undefined) continue;
      onLie?.(`${name} ${call.kind} ${call.client}`);
      return answer;
    }
    return (await remembered(call)).response;
  }

  return {
    lie,
    repent() {
      honest = true;
    },
    resume() {
      honest = false;
    },
  };
}
