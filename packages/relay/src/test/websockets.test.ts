/** WebSockets: where they are, who may open one, what one may cost, and how they end. */
import { once } from "node:events";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { heard, port } from "./port.fixture.ts";

/** 101, or the status that refused it. */
const statusOf = (socket: WebSocket): Promise<number | undefined> =>
  new Promise((resolve) => {
    socket.on("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.on("unexpected-response", (_, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    socket.on("error", () => {});
  });

test("at the paths of a wire alone, and from no page that may not call this relay", async () => {
  const origin = "https://approve.example.com";
  const place = await port({ allowedOrigins: [origin] });
  const ask = (path: string, headers = {}) => statusOf(place.webSocket(path, { headers }));
  expect(await ask("/echo")).toBe(101);
  expect(await ask("/echo?x=/other")).toBe(101);
  expect(await ask("/echo", { origin })).toBe(101);
  for (const path of ["/", "/echo/", "/v1/stream", "//echo"]) expect(await ask(path)).toBe(404);
  for (const other of ["https://evil.example", `${origin}:8443`, "null", "", "file://"])
    expect(await ask("/echo", { origin: other })).toBe(403);
  expect(await ask("/echo", { origin: place.listening.url })).toBe(403);
  await place.listening.close();
});

test("a handshake that is none is refused, and costs the next caller nothing", async () => {
  const place = await port();
  const hello = "host: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
  for (const rest of [
    "",
    "sec-websocket-version: 13\r\n",
    "sec-websocket-version: 13\r\nsec-websocket-key: short\r\n",
    "sec-websocket-version: 1\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
  ]) {
    for (const method of ["GET", "POST"]) {
      const socket = place.raw();
      socket.write(`${method} /echo HTTP/1.1\r\n${hello}${rest}\r\n`);
      expect(await heard(socket)).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
  }
  expect(await statusOf(place.webSocket("/echo"))).toBe(101);
  await place.listening.close();
});

test("quota-exhaustion: a message may be as large as a body over HTTP, and no larger", async () => {
  const place = await port({ limits: { body: 10_000 } });
  const socket = place.webSocket("/echo");
  await once(socket, "open");
  socket.send("x".repeat(10_000));
  await once(socket, "message");
  socket.send("x".repeat(10_001));
  expect((await once(socket, "close"))[0]).toBe(1009);
  const parts = place.webSocket("/echo");
  await once(parts, "open");
  for (let i = 0; i < 11; i++) parts.send("x".repeat(1000), { fin: false });
  expect((await once(parts, "close"))[0]).toBe(1009);
  await place.listening.close();
});

test("quota-exhaustion: one address opens so many, and another its own", async () => {
  const place = await port({ behindProxy: true, limits: { addressRate: { perSecond: 0.01, burst: 2 } } });
  const ask = (from: string) => statusOf(place.webSocket("/echo", { headers: { "x-forwarded-for": from } }));
  expect([await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("192.0.2.1")]).toEqual([101, 101, 429]);
  expect(await ask("192.0.2.2")).toBe(101);
  await place.listening.close();
});

test("a peer that answers no ping is dropped; one that does stays", async () => {
  const place = await port({ pingEvery: 50 });
  const well = place.webSocket("/echo");
  const dead = place.webSocket("/echo", { autoPong: false });
  await Promise.all([once(well, "open"), once(dead, "open")]);
  await once(dead, "close");
  await once(well, "ping");
  well.send("x");
  await once(well, "message");
  const closed = once(well, "close");
  await place.listening.close();
  await closed;
});

test("quota-exhaustion: one that says nothing is closed, one that spoke may be silent", async () => {
  const place = await port({ arrivesWithin: 50 });
  const spoke = place.webSocket("/echo");
  await once(spoke, "open");
  spoke.send("x");
  await once(spoke, "message");
  const silent = place.webSocket("/echo");
  expect((await once(silent, "close"))[0]).toBe(1008);
  spoke.send("y");
  expect(String((await once(spoke, "message"))[0])).toContain("y");
  await place.listening.close();
});

test("a wire that fails closes its WebSocket, and the relay goes on", async () => {
  const place = await port();
  expect((await once(place.webSocket("/broken"), "close"))[0]).toBe(1011);
  expect(await statusOf(place.webSocket("/echo"))).toBe(101);
  await place.listening.close();
});

test("closing ends them with 1001, cuts who does not answer, and takes no more", async () => {
  const place = await port();
  const socket = place.webSocket("/echo");
  const still = place.raw();
  still.write(
    "GET /echo HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
      "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  await Promise.all([once(socket, "open"), once(still, "data")]);
  const cut = heard(still);
  const ended = once(socket, "close");
  const closed = place.sockets.close(100);
  expect((await ended)[0]).toBe(1001);
  expect(await statusOf(place.webSocket("/echo"))).toBe(503);
  await closed;
  await cut;
  await place.listening.close();
  await place.relay.close();
});
