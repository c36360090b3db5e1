/** A relay that lies: the real one, with what passes through it changed on the way. */

export type Lie = (call: {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly body: unknown;
  /** What the honest relay answers. */
  honest(): Promise<Response>;
}) => Promise<Response | undefined>;

/** A fetch in which `lie` may answer instead of the honest relay; undefined leaves its answer as it is. */
export function lyingFetch(honest: typeof globalThis.fetch, lie: Lie): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const text = await request.clone().text();
    const { pathname, search } = new URL(request.url);
    const answer = await lie({
      method: request.method,
      path: pathname + search,
      body: text === "" ? undefined : JSON.parse(text),
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

/** Whether a call reads or answers with a request as a whole. */
export function isRequestView(path: string): boolean {
  return (
    /^\/v1\/requests(\/[\w-]+(\/(statements|report|cancel))?)?(\?.*)?$/.test(path) && !path.includes("state=")
  );
}
