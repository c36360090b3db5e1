/**
 * A relay that lies: passes everything on to the real one, and turns every "rejected" of its replies into
 * "approved" (threat `forged-outcome`). It is all that a relay can do: it has no device's key.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { given, parent } from "./processes.ts";

const { report, signal } = parent();
const real = given("DEMO_RELAY");

const forged = (text: string) => text.replaceAll('"state":"rejected"', '"state":"approved"');

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  if (request.method === "GET") return undefined;
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  return body;
}

/** Forges whole lines: a chunk may end in the middle of a word. */
async function* forgedLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) yield forged(`${line}\n`);
  }
  if (rest !== "") yield forged(rest);
}

const server = createServer(async (request, response) => {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    const body = await bodyOf(request);
    const headers = new Headers();
    for (const name of ["authorization", "accept", "content-type"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    const reply = await fetch(new URL(request.url as string, real), {
      method: request.method as string,
      headers,
      signal: gone.signal,
      ...(body === undefined ? {} : { body }),
    });
    response.writeHead(reply.status, { "content-type": reply.headers.get("content-type") ?? "text/plain" });
    response.flushHeaders();
    if (reply.body)
      Readable.from(forgedLines(reply.body))
        .on("error", () => response.destroy())
        .pipe(response);
    else response.end();
  } catch (error) {
    if (gone.signal.aborted) return;
    response.writeHead(502).end(String(error));
  }
});
server.listen(0, "127.0.0.1", () => {
  report({ kind: "ready", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
signal.addEventListener("abort", () => process.exit(0));
