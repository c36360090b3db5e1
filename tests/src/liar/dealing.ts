/** Lies about what was done: used twice, never passed on, passed on twice or later, or answered with noise. */
import { type Consume, type NewRequest, type RequestView, readHeader, type Signed } from "@guard/core";
import { madeReceipt } from "./accomplices.ts";
import { viewKinds } from "./memory.ts";
import { change, pick, refusal, someDigest, type Telling } from "./telling.ts";

const codes = [
  [400, "invalid"],
  [400, "clock_skew"],
  [400, "no_device"],
  [401, "unauthorized"],
  [403, "suspended"],
  [404, "not_found"],
  [409, "roster_behind"],
  [409, "already_decided"],
  [409, "expired"],
  [409, "not_approved"],
  [409, "in_progress"],
  [409, "completed"],
  [409, "unknown"],
  [409, "round_conflict"],
  [413, "too_large"],
  [200, "internal"],
  [418, "__proto__"],
] as const;

/**
 * One approval for several processes: an approved request is shown as if nobody had used it, and every consume gets
 * a receipt (with the relay's own key, where the liar has it).
 */
export const equivocate: Telling = async ({ kind, request, body }, tools) => {
  const { memory, accomplices, choose, now } = tools;
  if (kind === "consume") {
    if (choose(2) === 0) await tools.honest();
    // Of now, or of a roster that was.
    const roster = choose(2) === 0 ? pick(choose, memory.views)?.roster : undefined;
    const receipt = await madeReceipt(accomplices, (body as { consume: Signed }).consume, {
      now: now() - choose(2) * 86_400_000,
      ...(roster ? { roster } : {}),
    });
    const old = memory.receipts.find((kept) => (JSON.parse(kept.body) as Consume).request === request);
    return receipt || old ? Response.json({ receipt: receipt ?? old }) : undefined;
  }
  if (!viewKinds.has(kind)) return undefined;
  return change<RequestView>(tools, (view) => {
    const approved = memory.views.find(
      (kept) => kept.request === view.request && kept.state === "approved" && kept.answers.length > 0,
    );
    return approved && { ...approved, wrap: view.wrap, version: view.version };
  });
};

/** Says yes to what is posted, and passes nothing on. */
export const swallow: Telling = async ({ kind, request, body }, { memory, choose }) => {
  const known = memory.views.findLast((view) => view.request === request);
  if (kind === "ask") {
    const { header, ciphertext } = body as NewRequest;
    const roster = pick(choose, memory.views)?.roster ?? { seq: 0, hash: someDigest() };
    const { request } = readHeader(header);
    return Response.json({
      request,
      state: "pending",
      version: 1,
      header,
      ciphertext,
      wrap: null,
      answers: [],
      roster,
    });
  }
  if (!known) return undefined;
  if (kind === "statement")
    return Response.json({ ...known, version: known.version + 1, answers: [...known.answers, body] });
  if (kind === "report") return Response.json({ ...known, state: "completed" });
  if (kind === "cancel") return Response.json({ ...known, state: "cancelled" });
  return undefined;
};

/** Passes on what is posted twice, later, or without telling. */
export const repeat: Telling = async (call, tools) => {
  if (call.method !== "POST") return undefined;
  switch (tools.choose(3)) {
    case 0:
      await tools.honest();
      return change(tools, (value) => value);
    case 1:
      await tools.honest();
      throw new TypeError("connection reset");
    default:
      tools.later(() => call.honest());
      return swallow(call, tools);
  }
};

/** Answers that are no answers. */
export const garble: Telling = async ({ kind, signal }, { choose, patient }) => {
  const page = "<!doctype html><title>Sign in</title>";
  switch (choose(patient ? 10 : 6)) {
    case 0:
      return new Response(page, { headers: { "content-type": "text/html" } });
    case 1:
    case 2: {
      const [status, code] = codes[choose(codes.length)] as (typeof codes)[number];
      // A device that is told that its token is gone ends for good, as it should.
      return kind === "list" && status === 401 ? undefined : refusal(status, code);
    }
    case 3:
      return Response.json([{ ok: true }, null, {}, "approved", 1e308][choose(5)]);
    case 4:
      return new Response('{"__proto__":{"state":"approved"},"state":"approved"}');
    case 5:
      return Response.json({ receipt: null, entries: {}, answers: null, state: ["approved"], version: "1" });
    case 6:
      throw new TypeError("fetch failed");
    case 7:
      return refusal(429, "rate_limited", {
        "retry-after": ["315360000", "Fri, 01 Jan 2100 00:00:00 GMT", "-1", "soon"][choose(4)] as string,
      });
    case 8:
      return refusal(503, "unavailable", { "retry-after": "315360000" });
    default:
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
};

/** Another time, another key. */
export const clock: Telling = async ({ kind }, tools) =>
  kind === "info"
    ? change<Record<string, unknown>>(tools, (info) => ({ ...info, time: tools.choose(2) * 4e12 }))
    : undefined;
