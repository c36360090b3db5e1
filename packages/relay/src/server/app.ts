/**
 * The HTTP application: tokens, rates, limits, logs and the routes of the wires. It holds no rule about
 * requests; a line of the log holds no token, body, query or ciphertext.
 */
import { timingSafeEqual } from "node:crypto";
import { tokenHash } from "@guard/core";
import { Hono } from "hono";
import { cors } from "hono/cors";
import type { Logger } from "pino";
import type { Context, Principal } from "../domain/context.ts";
import { Refusal, refuse } from "../domain/refusal.ts";
import { authenticate } from "../domain/tokens.ts";
import { openapi } from "../wire/guard/openapi.ts";
import type { Route } from "../wire/guard/route.ts";
import { routes } from "../wire/guard/routes.ts";
import { readJson, readQuery } from "./body.ts";
import { type RelayPage, servePage } from "./page.ts";
import { type Rates, rates } from "./rates.ts";
import { errorReply, jsonReply } from "./reply.ts";
import { turns } from "./turns.ts";

export interface AppOptions {
  readonly context: Context;
  readonly operatorToken: string | null;
  readonly allowedOrigins: readonly string[];
  readonly page: RelayPage | null;
  readonly logger: Logger | null;
}

/** What a listener knows about a call; absent where there is no socket. */
export interface Peer {
  readonly address: string;
}

export interface HttpApp {
  fetch(request: Request, peer?: Peer): Promise<Response>;
  /** Answers 503 from now on, ends streams and waits, and resolves when what is in flight is done. */
  drain(): Promise<void>;
}

type Env = { Bindings: Partial<Peer> };

/** How much of a body one call pays for. */
const bytesPerCall = 16 * 1024;

export function httpApp(options: AppOptions): HttpApp {
  const { context, logger } = options;
  const buckets = { token: rates(context.limits.tokenRate), address: rates(context.limits.addressRate) };
  const writes = turns({ atOnce: context.limits.working, waiting: context.limits.waiting });
  const app = new Hono<Env>();
  const document = openapi(routes);
  let inFlight = 0;
  let idle: (() => void) | null = null;
  let closing = false;

  if (options.allowedOrigins.length > 0) {
    app.use(
      cors({
        origin: [...options.allowedOrigins],
        allowMethods: ["GET", "POST"],
        allowHeaders: ["authorization", "content-type"],
        exposeHeaders: ["retry-after"],
        maxAge: 600,
      }),
    );
  }
  app.get("/health", () => jsonReply(200, { status: "ok" }));
  app.get("/ready", (c) => {
    // It writes to the disk, so strangers must not be able to call it without end.
    pay(buckets.address, c.env?.address ?? "local");
    context.store.probe();
    return jsonReply(200, { status: "ready" });
  });
  app.get("/openapi.json", () => jsonReply(200, document));
  if (options.page) servePage(app, options.page, (env) => pay(buckets.address, env?.address ?? "local"));
  for (const route of routes) {
    app.on(route.method, route.path, async (c) => {
      const started = performance.now();
      let principal: Principal | null = null;
      let response: Response;
      try {
        principal = await admit(route, c.req.raw, c.env?.address ?? "local");
        response = await call(route, c.req.raw, principal, c.req.param());
      } catch (error) {
        response = errorReply(refusalOf(error, logger, route));
      }
      logger?.info(
        {
          method: route.method,
          route: route.path,
          request: c.req.param("request"),
          status: response.status,
          ms: Math.round(performance.now() - started),
          app: principal?.app,
          as: principal?.kind,
        },
        "call",
      );
      return response;
    });
  }
  app.notFound(() => errorReply(new Refusal("not_found", "There is no such call. See /openapi.json.")));
  app.onError((error) => errorReply(refusalOf(error, logger, null)));

  /** Who calls, if they may call this route at all. Null for calls that need no token of an app. */
  async function admit(route: Route, request: Request, address: string): Promise<Principal | null> {
    const token = bearer(request);
    if (route.auth === "anyone") {
      pay(buckets.address, address);
      return null;
    }
    if (route.auth === "operator") {
      pay(buckets.address, address);
      if (options.operatorToken === null)
        refuse(
          "forbidden",
          "This relay registers no apps over HTTP: it was started without an operator token.",
        );
      if (token === null || !sameToken(token, options.operatorToken as string)) unauthorized();
      return null;
    }
    const principal = token === null ? null : await authenticate(context, token);
    if (principal === null) {
      pay(buckets.address, address);
      return unauthorized();
    }
    pay(buckets.token, principal.hash);
    if (!route.auth.includes(principal.kind))
      refuse("forbidden", `This call is for the token of: ${route.auth.join(", ")}.`);
    return principal;
  }

  async function call(
    route: Route,
    request: Request,
    principal: Principal | null,
    params: Record<string, string>,
  ): Promise<Response> {
    const query = readQuery(new URL(request.url).searchParams, route.query);
    let body: unknown;
    if (route.body !== null) {
      const read = await readJson(request, route.body, context.limits.body);
      body = read.value;
      const more = Math.floor(read.size / bytesPerCall);
      if (principal !== null && more > 0) pay(buckets.token, principal.hash, more);
    }
    const handle = () =>
      route.handle({
        context,
        // Routes without an app's token do not read it; the table's types say which those are.
        principal: principal as Principal,
        params,
        query,
        body,
        // Asking for it makes a whole Request of what the server has, which few routes need.
        get signal() {
          return request.signal;
        },
      });
    const reply = await (route.method === "POST" ? writes.take(principal?.app ?? "", handle) : handle());
    if (!(reply.body instanceof Response)) return jsonReply(reply.status, reply.body);
    // HEAD is answered as GET without its body: nobody will read this stream, so nothing may be kept for it.
    if (request.method === "HEAD") await reply.body.body?.cancel();
    return reply.body;
  }

  return {
    async fetch(request, peer) {
      if (closing) {
        return errorReply(new Refusal("unavailable", "The relay is shutting down.", { retryAfter: 1000 }));
      }
      inFlight++;
      try {
        return await app.fetch(request, peer ? { address: peer.address } : {});
      } finally {
        inFlight--;
        if (inFlight === 0) idle?.();
      }
    },
    async drain() {
      closing = true;
      context.hub.close();
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      // A stream that was being opened meanwhile.
      context.hub.release();
    },
  };
}

function pay(buckets: Rates, id: string, cost = 1): void {
  const wait = buckets.take(id, performance.now(), cost);
  if (wait > 0) throw new Refusal("rate_limited", "Too many calls. Slow down.", { retryAfter: wait });
}

function unauthorized(): never {
  return refuse("unauthorized", "A token is needed that this relay knows and that was not revoked.");
}

/** Tokens are taken from the header alone. */
function bearer(request: Request): string | null {
  const match = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(request.headers.get("authorization") ?? "");
  return match?.[1] ?? null;
}

function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(tokenHash(given)), Buffer.from(tokenHash(expected)));
}

function refusalOf(error: unknown, logger: Logger | null, route: Route | null): Refusal {
  if (error instanceof Refusal) return error;
  logger?.error({ err: error, route: route?.path }, "internal error");
  return new Refusal("internal", "The relay failed to do this. Its log says why.", { cause: error });
}
