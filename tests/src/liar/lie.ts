/**
 * The one way in which a relay lies in these tests: the real relay, with what passes through it answered or
 * changed on the way. A lie sees every call whole, may pass it on never, once or twice, and answers what it likes.
 */

/** What a call is about, by its method and path. `other`: setting up, where these tests tell no lies. */
export type Kind =
  | "info"
  | "roster"
  | "ask"
  | "view"
  | "list"
  | "statement"
  | "consume"
  | "report"
  | "cancel"
  | "stream"
  | "other";

export interface Call {
  /** Who calls, as whoever made the fetch named them: a lie may tell each something else. */
  readonly client: string;
  readonly kind: Kind;
  /** The request that the path names, or null. */
  readonly request: string | null;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
  /** What the honest relay answers; every use of it passes the call on once more. */
  honest(): Promise<Response>;
}

/** Answers in the relay's place; undefined leaves its answer as it is. */
export type Lie = (call: Call) => Promise<Response | undefined>;

const acts: Readonly<Record<string, Kind>> = {
  statements: "statement",
  consume: "consume",
  report: "report",
  cancel: "cancel",
};

function kindOf(method: string, path: string): { kind: Kind; request: string | null } {
  const [, version, what, request, act] = path.replace(/\?.*/, "").split("/");
  const none = { request: null };
  if (version !== "v1") return { kind: "other", ...none };
  if (what === "requests" && request === undefined)
    return { kind: method === "POST" ? "ask" : "list", ...none };
  if (what === "requests") {
    const kind = act === undefined ? "view" : acts[act];
    return { kind: kind ?? "other", request: request as string };
  }
  if (method === "GET" && what === "roster") return { kind: "roster", ...none };
  if (method === "GET" && what === "relay") return { kind: "info", ...none };
  if (method === "GET" && what === "stream") return { kind: "stream", ...none };
  return { kind: "other", ...none };
}

/** A fetch in which `lie` may answer instead of the honest relay. */
export function lyingFetch(
  honest: typeof globalThis.fetch,
  lie: Lie,
  client = "somebody",
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const text = await request.clone().text();
    const { pathname, search } = new URL(request.url);
    const path = pathname + search;
    const answer = await lie({
      client,
      ...kindOf(request.method, path),
      method: request.method,
      path,
      body: text === "" ? undefined : JSON.parse(text),
      signal: request.signal,
      honest: () => honest(request.clone()),
    });
    return answer ?? honest(request);
  };
}

/** The honest answer with its JSON changed. */
export async function changed(
  honest: () => Promise<Response>,
  change: (value: Record<string, unknown>) => unknown,
): Promise<Response> {
  const response = await honest();
  const value = (await response.json()) as Record<string, unknown>;
  return Response.json(change(value), { status: response.status });
}
