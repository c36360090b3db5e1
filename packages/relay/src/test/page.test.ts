import { expect, test } from "vitest";
import { office, world } from "./fixture.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const page = {
  files: new Map([
    ["/index.html", { type: "text/html; charset=utf-8", body: bytes("<!doctype html>") }],
    ["/page.js", { type: "text/javascript; charset=utf-8", body: bytes("1;") }],
  ]),
  headers: () => ({ "content-security-policy": "frame-ancestors 'none'", "cache-control": "no-store" }),
};

const paths = ["/", "/index.html", "/page.js"];

test("link-prefetch: whoever gets the page, with whatever in its address, changes nothing by it", async () => {
  const { relay, agent, alice } = await office({ page });
  const { request } = await agent.ask();
  const seen = async () => (await alice.get(request)).body;
  const before = await seen();
  for (const path of paths) {
    for (const query of ["", `?approve=${request}`, `?request=${request}&decision=approve`]) {
      for (const method of ["GET", "HEAD"]) {
        const answered = await relay.fetch(new Request(`http://127.0.0.1${path}${query}`, { method }));
        expect(answered.status).toBe(200);
        expect(answered.headers.get("cache-control")).toBe("no-store");
        expect(answered.headers.get("content-security-policy")).toBe("frame-ancestors 'none'");
        const body = await answered.text();
        expect(body).toBe(method === "HEAD" ? "" : path === "/page.js" ? "1;" : "<!doctype html>");
      }
    }
  }
  for (const method of ["GET", "HEAD"]) {
    const address = `http://127.0.0.1/v1/requests/${request}/statements`;
    const headers = { authorization: `Bearer ${alice.token}` };
    expect((await relay.fetch(new Request(address, { method, headers }))).status).toBe(404);
  }
  expect(await seen()).toEqual(before);
});

test("csrf-clickjack: what another site makes a browser send has no token, and the page's paths take no POST", async () => {
  const { relay, agent, alice } = await office({ page });
  const { request } = await agent.ask();
  const post = (path: string, headers: Record<string, string>) =>
    relay.fetch(
      new Request(`http://127.0.0.1${path}`, {
        method: "POST",
        body: `request=${request}&decision=approve`,
        headers: { origin: "https://elsewhere.example", ...headers },
      }),
    );
  const form = { "content-type": "application/x-www-form-urlencoded" };
  for (const path of paths) {
    for (const method of ["POST", "PUT", "DELETE"]) {
      const refused = await relay.fetch(new Request(`http://127.0.0.1${path}`, { method }));
      expect([method, refused.status]).toEqual([method, 404]);
    }
    expect((await post(path, form)).status).toBe(404);
  }
  const statements = `/v1/requests/${request}/statements`;
  expect((await post(statements, form)).status).toBe(401);
  expect((await post(statements, { ...form, cookie: `token=${alice.token}` })).status).toBe(401);
  // With no origin allowed, no other site may even ask whether it could send a token.
  const asked = await relay.fetch(
    new Request(`http://127.0.0.1${statements}`, {
      method: "OPTIONS",
      headers: { origin: "https://elsewhere.example", "access-control-request-headers": "authorization" },
    }),
  );
  expect(asked.headers.get("access-control-allow-origin")).toBeNull();
  expect((await alice.get(request)).body.state).toBe("pending");
});

test("without a page there is none, and strangers cannot fetch it without end", async () => {
  const bare = await world();
  expect((await bare.call(null, "GET", "/")).status).toBe(404);
  const { relay } = await world({ page, limits: { addressRate: { perSecond: 1, burst: 3 } } });
  const get = async () =>
    (await relay.fetch(new Request("http://127.0.0.1/"), { address: "192.0.2.1" })).status;
  expect([await get(), await get(), await get(), await get()]).toEqual([200, 200, 200, 429]);
});
