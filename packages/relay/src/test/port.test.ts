/** HTTP, streams, gRPC and WebSockets on the relay's one port; and callers who do not say what they want. */
import { once } from "node:events";
import { createServer } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import { device } from "@guard/wires/noxy";
import { afterAll, describe, expect, test } from "vitest";
import { createRelay, serveRelay } from "../index.ts";
import { certificate, clients, heard, port } from "./port.fixture.ts";

const tls = certificate();
const textOf = async (response: AsyncIterable<Buffer>) => {
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
};
const message = (requestId: string) => create(device.DeviceRequestSchema, { requestId });

describe.each([
  ["plaintext", {}],
  ["TLS", { tls }],
])("%s", (_, options) => {
  test("HTTP, a stream, gRPC and WebSockets on one port, side by side", async () => {
    const place = await port(options);
    expect(await textOf(await place.get("/health"))).toBe('{"status":"ok"}');

    const events = await place.get("/v1/stream", { authorization: `Bearer ${place.agent.token}` });
    expect(String((await once(events, "data"))[0])).toMatch(/^event: state\n/);

    const client = place.rpcClient();
    expect(await place.quota(client)).toMatchObject({ quotaTotal: 7n, appName: "127.0.0.1" });
    const session = place.session(client);
    for (const id of ["a", "b"]) {
      session.write(message(id));
      expect((await once(session, "data"))[0]).toMatchObject({ requestId: id });
    }

    const socket = place.webSocket("/echo");
    await once(socket, "open");
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("127.0.0.1: hello");

    const view = await place.agent.ask();
    expect(String((await once(events, "data"))[0])).toContain(view.request);
    session.end();
    await once(session, "end");
    events.destroy();
    socket.terminate();
    place.leave();
    await place.listening.close();
  });

  test("close: what is in flight is answered, sessions and WebSockets end, and clients come back", async () => {
    const place = await port(options);
    const client = place.rpcClient();
    const arrived = new Promise<void>((resolve) => {
      place.held.arrived = resolve;
    });
    let release = () => {};
    place.held.until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const asked = place.quota(client);
    await arrived;
    const socket = place.webSocket("/echo");
    await once(socket, "open");
    const closed = place.listening.close();
    expect((await once(socket, "close"))[0]).toBe(1001);
    await expect(place.quota(place.rpcClient())).rejects.toMatchObject({ code: status.UNAVAILABLE });
    release();
    expect(await asked).toMatchObject({ quotaTotal: 7n });
    await closed;

    const again = await serveRelay(place.served, { ...options, port: place.port });
    expect(await place.quota(client)).toMatchObject({ quotaTotal: 7n });
    const next = place.webSocket("/echo");
    await once(next, "open");
    place.leave();
    await again.close();
  });

  test("close: a gRPC session that goes on, and a caller who will not hang up, are cut", async () => {
    const place = await port(options);
    const session = place.session(place.rpcClient());
    session.write(message("a"));
    await once(session, "data");
    const failed = once(session, "error");
    await place.listening.close();
    expect((await failed)[0]).toMatchObject({ code: expect.any(Number) });
    await expect.poll(() => place.streams.size).toBe(0);
    place.leave();
  });

  test("quota-exhaustion: 200 connections that are opened and dropped, and many at once, leave nothing", async () => {
    const place = await port(options);
    const open = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = open();
    const dropped = Array.from({ length: 200 }, async (_, i) => {
      const socket = place.raw();
      await once(socket, "connect");
      if (i % 4 === 1) socket.write("PRI * HT");
      if (i % 4 === 2) socket.end("\u0016\u0003\u0001");
      if (i % 4 === 3) socket.resetAndDestroy();
      else socket.destroy();
    });
    await Promise.all(dropped);
    await expect.poll(open).toBeLessThanOrEqual(before);
    expect((await place.get("/health")).statusCode).toBe(200);
    await place.listening.close();
  });
});

describe("plaintext: the first bytes", () => {
  test.each([1, 3, 23, 24, 25])("gRPC whose first bytes arrive %i at a time", async (size) => {
    const place = await port();
    const slow = createServer((near) => {
      const far = place.raw().setNoDelay();
      far.on("error", () => near.destroy()).on("close", () => near.destroy());
      near.on("error", () => far.destroy()).on("close", () => far.destroy());
      far.pipe(near);
      near.once("data", async (first) => {
        near.pause();
        for (let at = 0; at < first.length; at += size) {
          far.write(first.subarray(at, at + size));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        near.pipe(far);
      });
    }).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const through = clients(`http://127.0.0.1:${(slow.address() as { port: number }).port}`, null);
    expect(await through.quota(through.rpcClient())).toMatchObject({ quotaTotal: 7n });
    through.leave();
    slow.close();
    await place.listening.close();
  });

  test("HTTP that arrives byte by byte, also where it begins like HTTP/2", async () => {
    const place = await port();
    for (const [text, answer] of [
      ["GET /health HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n", /^HTTP\/1\.1 200 (.|\s)*"ok"/],
      ["PROPFIND /health HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n", /^HTTP\/1\.1 404 /],
      ["PRI * HTTP/1.1\r\nhost: relay\r\n\r\n", /^HTTP\/1\.1 4\d\d |^$/],
      ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", /^HTTP\/1\.1 4\d\d |^$/],
    ] as const) {
      const socket = place.raw().setNoDelay();
      const answered = heard(socket);
      for (const letter of text) {
        if (!socket.destroyed) socket.write(letter);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await answered).toMatch(answer);
    }
    await place.listening.close();
  });

  test("quota-exhaustion: silence, half of the first bytes, a half-closed socket: hung up on", async () => {
    const place = await port({ saysWithin: 50 });
    for (const text of ["", "P", "PRI * HTTP/2.0\r\n\r\nSM"]) {
      const silent = place.raw();
      silent.write(text);
      expect(await heard(silent)).toBe("");
      const half = place.raw();
      half.end(text);
      expect(await heard(half)).toBe("");
    }
    expect((await place.get("/health")).statusCode).toBe(200);
    await place.listening.close();
  });

  test("HTTP/2 that is half closed, and garbage after its first bytes, is hung up on", async () => {
    const place = await port();
    const half = place.raw();
    half.end("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await heard(half);
    const garbage = place.raw();
    garbage.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\u00ff".repeat(200)}`, "latin1");
    await heard(garbage);
    expect(await place.quota(place.rpcClient())).toMatchObject({ quotaTotal: 7n });
    place.leave();
    await place.listening.close();
  });

  test("garbage is answered in HTTP or hung up on, and costs the next caller nothing", async () => {
    const place = await port();
    for (const text of [
      "\u0000\u0001\u0002",
      "\u0016\u0003\u0001\u0002\u0000",
      "hello\r\n\r\n",
      "\u00ff".repeat(9999),
    ]) {
      const socket = place.raw();
      socket.end(text, "latin1");
      expect(await heard(socket)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    }
    expect((await place.get("/health")).statusCode).toBe(200);
    await place.listening.close();
  });

  test("an upgrade to something else than a WebSocket is answered in HTTP/1.1", async () => {
    const place = await port();
    const response = await place.get("/health", {
      connection: "Upgrade, HTTP2-Settings",
      upgrade: "h2c",
      "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
    });
    expect(response.statusCode).toBe(200);
    await place.listening.close();
  });

  test("a relay without gRPC and WebSockets is served over HTTP alone", async () => {
    const relay = await createRelay({ database: ":memory:", logger: false });
    const listening = await serveRelay({ fetch: relay.fetch, release: relay.release });
    const { raw, get } = clients(listening.url, null);
    const socket = raw();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    expect(await heard(socket)).toMatch(/^HTTP\/1\.1 4\d\d |^$/);
    expect((await get("/health", { connection: "upgrade", upgrade: "websocket" })).statusCode).toBe(200);
    await listening.close();
    await relay.close();
  });
});

describe("TLS: what the two sides agree on", () => {
  const started = port({ tls, saysWithin: 200 });
  afterAll(async () => (await started).listening.close());
  const ask = "GET /health HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";

  test.each([
    [["h2", "http/1.1"], "http/1.1"],
    [["http/1.1"], "http/1.1"],
    [[], false],
  ])("who offers %j speaks HTTP/1.1", async (ALPNProtocols, agreed) => {
    const socket = (await started).rawTls(ALPNProtocols.length > 0 ? { ALPNProtocols } : {});
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe(agreed);
    socket.write(ask);
    expect(await heard(socket)).toContain('"ok"');
  });

  test("h2 alone is gRPC; another protocol, TLS 1.1, plaintext, or no handshake at all is refused", async () => {
    const place = await started;
    const h2 = place.rawTls({ ALPNProtocols: ["h2"] });
    await once(h2, "secureConnect");
    expect(h2.alpnProtocol).toBe("h2");
    h2.write(ask);
    expect(await heard(h2)).not.toContain("HTTP/1.1 200");
    const old = "TLSv1.1";
    for (const refused of [
      () => place.rawTls({ ALPNProtocols: ["spdy/3"] }),
      () => place.rawTls({ minVersion: old, maxVersion: old, ciphers: "DEFAULT@SECLEVEL=0" }),
    ]) {
      await expect(once(refused(), "secureConnect")).rejects.toThrow();
    }
    const plain = place.raw();
    plain.write(ask);
    expect(await heard(plain)).not.toContain('"ok"');
    expect(await heard(place.raw())).toBe("");
    expect((await place.get("/health")).statusCode).toBe(200);
  });
});

test("a whole relay: its wires answer on the port, its sessions end as it is closed, and it closes at once", async () => {
  const relay = await createRelay({ database: ":memory:", logger: false });
  const listening = await serveRelay(relay);
  const { rpcClient, quota, session, webSocket, leave } = clients(listening.url, null);
  const client = rpcClient();
  await expect(quota(client)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  const device = session(client);
  device.write(message("a"));
  expect((await once(device, "data"))[0]).toMatchObject({ requestId: "a" });
  const sockets = [webSocket("/"), webSocket("/noxy")];
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  const ended = [...sockets.map((socket) => once(socket, "close")), once(device, "end")];
  device.resume();
  const started = performance.now();
  await listening.close();
  await relay.close();
  const [browser, other] = await Promise.all(ended);
  expect([browser?.[0], other?.[0]]).toEqual([1001, 1001]);
  // Far from the time after which what does not end is cut.
  expect(performance.now() - started).toBeLessThan(2_500);
  leave();
});

describe("who calls", () => {
  const forwarded = "203.0.113.1, 198.51.100.7";
  test("behind a proxy, the last hop that it wrote; otherwise the socket, whatever a caller says", async () => {
    const metadata = new Metadata();
    metadata.set("x-forwarded-for", forwarded);
    for (const [behindProxy, address] of [
      [true, "198.51.100.7"],
      [false, "127.0.0.1"],
    ] as const) {
      const place = await port({ behindProxy });
      expect((await place.quota(place.rpcClient(), metadata)).appName).toBe(address);
      const socket = place.webSocket("/echo", { headers: { "x-forwarded-for": forwarded } });
      await once(socket, "open");
      socket.send("x");
      expect(String((await once(socket, "message"))[0])).toBe(`${address}: x`);
      socket.terminate();
      place.leave();
      await place.listening.close();
    }
  });
});
