import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestGuard, testGuard } from "@guard/testing";
import { afterEach, expect, test } from "vitest";
import { guardedFetch, readsOf } from "./fetch.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** An API that writes down what it gets. */
async function kit(): Promise<
  Pick<TestGuard, "approver"> & {
    origin: string;
    got: unknown[];
    keys: unknown[];
    api: ReturnType<typeof guardedFetch>;
  }
> {
  const got: unknown[] = [];
  const keys: unknown[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    got.push([method, url, await text(request), headers.authorization]);
    keys.push(headers["idempotency-key"]);
    if (url === "/moved") response.writeHead(307, { location: "/elsewhere" });
    response.end(JSON.stringify({ url }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const made = await testGuard({ policy: readsOf(origin) });
  open.push(made);
  const api = guardedFetch({
    guard: made.guard,
    session: "job-1",
    headers: { authorization: "Bearer secret" },
  });
  return { approver: made.approver, origin, got, keys, api };
}
const json = JSON.stringify;

test("a read passes by policy; a write is asked, and is sent once, as approved", async () => {
  const { api, approver, origin, got, keys } = await kit();
  const order = await api(`${origin}/orders/A`);
  expect(await order.json()).toEqual({ url: "/orders/A" });
  const held = approver
    .expect("fetch", { method: "POST", url: `${origin}/refunds`, body: { amount: 900 } })
    .hold();
  const sending = api(new URL("/refunds", origin), { method: "POST", body: json({ amount: 900 }) });
  const { request, args } = await held.arrived;
  expect(got).toHaveLength(1);
  expect(json(args)).not.toContain("secret");
  await held.approve();
  expect((await sending).status).toBe(200);
  expect(got).toEqual([
    ["GET", "/orders/A", "", "Bearer secret"],
    ["POST", "/refunds", '{"amount":900}', "Bearer secret"],
  ]);
  expect(keys[1]).toBe(request);
  approver.done();
});

test("edited, the edited call is sent; rejected, nothing is", async () => {
  const { api, approver, origin, got } = await kit();
  const put = (amount: number) => api(`${origin}/refunds/1`, { method: "PUT", body: json({ amount }) });
  approver.expect("fetch").edit({ method: "PUT", url: `${origin}/refunds/1`, body: { amount: 90 } });
  await put(900);
  approver.expect("fetch").reject("ask the manager");
  await expect(put(800)).rejects.toMatchObject({ code: "rejected", reason: "ask the manager" });
  expect(got).toEqual([["PUT", "/refunds/1", '{"amount":90}', "Bearer secret"]]);
  approver.done();
});

test("edited-tool-escape: an edit that is no call, or is not spelt as it would be sent, is not sent", async () => {
  const { api, approver, origin, got } = await kit();
  for (const edited of [
    { method: "TRACE", url: `${origin}/` },
    { method: "DELETE", url: `${origin}/a/../b` },
    { method: "DELETE", url: "file:///etc/passwd" },
  ]) {
    approver.expect("fetch").edit(edited);
    await expect(api(`${origin}/a`, { method: "DELETE" })).rejects.toMatchObject({ code: "validation" });
  }
  expect(got).toEqual([]);
});

test("what nobody would be shown, and where nobody approved to go, is not sent", async () => {
  const { api, approver, origin, got } = await kit();
  const headers = { "x-http-method-override": "DELETE" };
  await expect(api(`${origin}/orders/A`, { headers } as object)).rejects.toThrow(
    "Nobody would be shown headers",
  );
  approver.expect("fetch", { method: "POST", url: `${origin}/moved` }).approve();
  await expect(api(`${origin}/moved`, { method: "POST" })).rejects.toThrow("fetch failed");
  expect(got).toEqual([["POST", "/moved", "", "Bearer secret"]]);
  const elsewhere = origin.replace("127.0.0.1", "localhost");
  for (const url of [`${elsewhere}/?leak=1`, `${origin}@evil.example/`]) {
    approver.expect("fetch", { method: "GET", url: new URL(url).href }).reject();
    await expect(api(url)).rejects.toMatchObject({ code: "rejected" });
  }
  approver.done();
});
