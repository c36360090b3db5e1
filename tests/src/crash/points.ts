/**
 * Named places inside a process at which it may be made to die, and what passes through them: calls to the
 * relay and the evidence store. Nothing of the product is changed; everything here wraps what it takes as options.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { canonicalJson, digestOf, type EvidenceStore, type RequestView, readLine } from "@guard/core";
import { type Ack, note } from "./journal.ts";
import type { Death } from "./plan.ts";

export interface Points {
  /** Passes a point; does not return where the process dies there. */
  reach(name: string): void;
  /** Whether the process dies at this passing of the point; counts as a passing. */
  dies(name: string): boolean;
}

export function pointsOf(death: Death | null): Points {
  let left = death !== null && "point" in death ? death.nth : 0;
  const dies = (name: string) => {
    if (death === null || !("point" in death) || death.point !== name) return false;
    left--;
    return left === 0;
  };
  return {
    dies,
    reach(name) {
      if (dies(name)) die();
    },
  };
}

/** The end of this process, at once: nothing that runs after it was asked for. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal comes at the end of the system call; nothing may happen in between.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

/** A clock that the run can set: the true one, with the offset that is in `file`. */
export function clockIn(file: string): () => number {
  return () => Date.now() + Number(readFileSync(file, "utf8"));
}

/** A fetch with points before and after each call, which notes what the relay acknowledged. */
export function watchedFetch(points: Points, journal: string): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const kind = kindOf(request.method, new URL(request.url).pathname);
    if (kind === null) return fetch(request);
    points.reach(`${kind} before`);
    const sent = kind === "answer" || kind === "report" ? await request.clone().text() : "";
    const response = await fetch(request);
    const text = await response.text();
    if (response.ok) note(journal, "acks", ackOf(kind, request.url, sent, text));
    points.reach(`${kind} after`);
    return new Response(text, { status: response.status, headers: response.headers });
  };
}

/** Which act a call is; null for calls that concern no single request. */
export function kindOf(method: string, path: string): Ack["kind"] | null {
  if (method === "POST" && path === "/v1/requests") return "ask";
  const [, last] = /^\/v1\/requests\/[\w-]+(?:\/(statements|consume|report))?$/.exec(path) ?? ["", null];
  if (last === null) return null;
  if (method === "GET") return last === undefined ? "read" : null;
  return last === "statements" ? "answer" : ((last as "consume" | "report" | undefined) ?? null);
}

function ackOf(kind: Ack["kind"], url: string, sent: string, received: string): Ack {
  const view = JSON.parse(received) as RequestView & { receipt?: unknown };
  const request = view.request ?? (new URL(url).pathname.split("/")[3] as string);
  const seen = { kind, request, state: view.state ?? null, version: view.version ?? null };
  switch (kind) {
    case "ask":
      return { ...seen, digest: contentOf([view.header, view.ciphertext]) };
    case "answer": {
      const { statement, reply } = JSON.parse(sent);
      return { ...seen, digest: contentOf([statement, reply]) };
    }
    case "consume":
      return { ...seen, digest: contentOf(view.receipt) };
    case "report":
      return { ...seen, digest: contentOf(JSON.parse(sent).report) };
    case "read":
      return { ...seen, digest: null };
  }
}

/** Digest of what was acknowledged, the same for what is found later. */
export const contentOf = (value: unknown) => digestOf(canonicalJson(value));

/** A store of evidence with points around each line and each flush. */
export function watchedEvidence(store: EvidenceStore, points: Points): EvidenceStore {
  let unflushed: { type: string; line: string }[] = [];
  // Lines that the store cannot have begun to write, since it writes in later ticks.
  let fresh = 0;
  return {
    get place() {
      return store.place;
    },
    open: () => store.open(),
    append(line) {
      const type = readLine(line).event_type;
      points.reach(`${type} appending`);
      store.append(line);
      unflushed.push({ type, line });
      fresh++;
      queueMicrotask(() => {
        fresh = 0;
      });
      points.reach(`${type} appended`);
    },
    async flush() {
      const lines = unflushed;
      unflushed = [];
      for (const { type } of lines) {
        points.reach(`${type} flushing`);
        if (points.dies(`${type} torn`))
          tear(
            store.place,
            lines.map(({ line }) => line),
            fresh,
          );
      }
      await store.flush();
      for (const { type } of lines) points.reach(`${type} flushed`);
    },
    saveCheckpoint: async (text) => store.saveCheckpoint?.(text),
    close: () => store.close(),
  };
}

/**
 * What a machine leaves that stops while it writes: a part of the lines that nobody was told are durable. The last
 * `fresh` ones are not being written yet; those before them have to be there, or nothing is torn.
 */
function tear(file: string, lines: readonly string[], fresh: number): never {
  const before = lines.at(-fresh - 1);
  const text = lines.slice(lines.length - fresh).join("\n");
  if (before === undefined || readFileSync(file, "utf8").endsWith(`${before}\n`))
    appendFileSync(file, text.slice(0, Math.floor(text.length / 2)));
  return die();
}
