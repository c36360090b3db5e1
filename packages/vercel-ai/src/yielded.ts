/**
 * A tool that yields values, through a gate that runs functions: values come out as the tool makes them, at the
 * reader's pace, and the run ends, and is recorded, as the tool ends.
 */
import type { Execute } from "@guard/core";

/** Whoever stops reading stops the tool, and its run is recorded as one that failed. */
export async function* yielded<T>(
  run: (body: Execute<T | undefined>) => Promise<unknown>,
  values: (execution: Parameters<Execute<T>>[0]) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const { readable, writable } = new TransformStream<T, T>();
  const writer = writable.getWriter();
  const ended = run(async (execution) => {
    let last: T | undefined;
    for await (const value of values(execution)) {
      await writer.write(value).catch(() => {
        throw new Error("stopped by its reader");
      });
      last = value;
    }
    return last;
  }).then(
    () => writer.close(),
    (error: unknown) => writer.abort(error),
  );
  ended.catch(() => {}); // The reader has stopped, or gets the error from what it reads.
  for await (const value of readable) yield value;
  await ended;
}
