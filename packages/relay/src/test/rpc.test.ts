/** What callers of gRPC can cost the relay: sizes, time, connections; and how it stops. */
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, status } from "@grpc/grpc-js";
import { agent, agentService, device } from "@guard/wires/noxy";
import { expect, test } from "vitest";
import { port } from "./port.fixture.ts";

const headers = {
  ":method": "POST",
  ":path": agentService.getQuota.path,
  "content-type": "application/grpc",
  te: "trailers",
};

test("quota-exhaustion: a message may be as large as a body over HTTP, and no larger", async () => {
  const place = await port({ limits: { body: 10_000 } });
  const client = place.rpcClient();
  const send = (size: number) => {
    const { path, requestSerialize, responseDeserialize } = agentService.getQuota;
    const message = create(agent.GetQuotaRequestSchema, { requestId: "r".repeat(size) });
    return new Promise((resolve) =>
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, (error) =>
        resolve(error?.code ?? status.OK),
      ),
    );
  };
  expect(await send(9_000)).toBe(status.OK);
  expect(await send(11_000)).toBe(status.RESOURCE_EXHAUSTED);
  expect(await send(9_000)).toBe(status.OK);
  place.leave();
  await place.listening.close();
});

test("quota-exhaustion: calls whose message does not arrive, in whole or at all, are given up", async () => {
  const place = await port({ arrivesWithin: 50 });
  const session = connectHttp2(place.listening.url);
  const begun = [
    "", // no message
    "000000", // half of what says how long it is
    "000000000a0a", // half a message
    "0000000000", // a message, and no end
  ];
  for (const bytes of begun) {
    const call = session.request(headers);
    if (bytes !== "") call.write(Buffer.from(bytes, "hex"));
    const [answer] = await once(call, "response");
    expect(answer["grpc-status"]).toBe(String(status.RESOURCE_EXHAUSTED));
    call.close();
  }
  session.close();
  const stream = place.session(place.rpcClient());
  expect((await once(stream, "error"))[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await expect.poll(() => place.streams.size).toBe(0);
  place.leave();
  await place.listening.close();
});

test("quota-exhaustion: while many calls are on their way the slow ones go, and those that come in whole are answered", async () => {
  const place = await port({ arrivesWithin: 5_000 });
  const session = connectHttp2(place.listening.url);
  const calls = Array.from({ length: 300 }, () => session.request(headers));
  const answers = calls.map(async (call) => (await once(call, "response"))[0]["grpc-status"]);
  for (const answer of answers) answer.catch(() => {});
  const client = place.rpcClient();
  let dropped = false;
  const oldest = Promise.all(answers.slice(0, 44)).then((codes) => {
    dropped = true;
    return new Set(codes);
  });
  while (!dropped) expect(await place.quota(client)).toMatchObject({ quotaTotal: 7n });
  expect(await oldest).toEqual(new Set([String(status.RESOURCE_EXHAUSTED)]));
  calls.at(-1)?.end(Buffer.from("0000000000", "hex"));
  expect(await answers.at(-1)).toBeUndefined();
  session.destroy();
  const many = Array.from({ length: 1500 }, () => place.quota(client));
  for (const each of many) expect(await each).toMatchObject({ quotaTotal: 7n });
  place.leave();
  await place.listening.close();
});

test("a session that spoke goes on, however long it is silent then", async () => {
  const place = await port({ arrivesWithin: 50 });
  const session = place.session(place.rpcClient());
  const say = async (requestId: string) => {
    session.write(create(device.DeviceRequestSchema, { requestId }));
    expect((await once(session, "data"))[0]).toMatchObject({ requestId });
  };
  await say("a");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await say("b");
  place.leave();
  session.cancel();
  await once(session, "error");
  await place.listening.close();
});

test("quota-exhaustion: a connection has so many calls at once, and more of them wait", async () => {
  const place = await port({ limits: { waits: 2 } });
  const session = connectHttp2(place.listening.url);
  const [settings] = await once(session, "remoteSettings");
  expect(settings.maxConcurrentStreams).toBe(2);
  session.destroy();
  let release = () => {};
  place.held.until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const client = place.rpcClient();
  const asked = Array.from({ length: 6 }, () => place.quota(client));
  release();
  for (const each of asked) expect(await each).toMatchObject({ quotaTotal: 7n });
  place.leave();
  await place.listening.close();
});

test.each([
  ["a method", {}],
  ["no method", { ":path": "/noxy.agent.AgentService/Nothing" }],
  ["no gRPC", { "content-type": "text/plain" }],
])(
  "quota-exhaustion: calls of %s, begun and reset without end, cost their caller the connection",
  async (_, other) => {
    const place = await port();
    const session = connectHttp2(place.listening.url);
    session.on("error", () => {});
    const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
    await once(session, "connect");
    for (let i = 0; i < 5_000 && !session.destroyed && !session.closed; i++) {
      const call = session.request({ ...headers, ...other });
      call.on("error", () => {});
      call.close(constants.NGHTTP2_CANCEL);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    expect(await place.quota(place.rpcClient())).toMatchObject({ quotaTotal: 7n });
    place.leave();
    await place.listening.close();
  },
);

test("what no wire offers is not there, and what is not gRPC is refused", async () => {
  const place = await port();
  const session = connectHttp2(place.listening.url);
  const unknown = session.request({ ...headers, ":path": "/noxy.agent.AgentService/Nothing" });
  expect((await once(unknown, "response"))[0]["grpc-status"]).toBe(String(status.UNIMPLEMENTED));
  const page = session.request({ ":path": "/health" });
  expect((await once(page, "response"))[0][":status"]).toBe(415);
  session.destroy();
  await place.listening.close();
});

test("a relay that closes lets calls finish, refuses further ones, and cuts what does not end", async () => {
  const place = await port();
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
  const stubborn = place.session(new Client(`localhost:${place.port}`, credentials.createInsecure()));
  stubborn.write(create(device.DeviceRequestSchema, { requestId: "a" }));
  await once(stubborn, "data");
  const cut = once(stubborn, "error");
  const closed = place.rpc.close(1_500);
  await expect(place.quota(place.rpcClient())).rejects.toMatchObject({ code: status.UNAVAILABLE });
  release();
  expect(await asked).toMatchObject({ quotaTotal: 7n });
  await closed;
  await cut;
  await expect(place.quota(place.rpcClient())).rejects.toMatchObject({ code: status.UNAVAILABLE });
  place.leave();
  stubborn.cancel();
  await place.listening.close();
  await place.relay.close();
});
