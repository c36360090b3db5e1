/**
 * The lies by name. Each takes one call, answers what it likes, and leaves alone (undefined) what it has nothing
 * to say to. What is chosen comes from outside, so that a seed or a property test repeats it.
 */
import {
  type Answer,
  base64url,
  type Consume,
  type NewRequest,
  type RequestList,
  type RequestState,
  type RequestView,
  type RosterPage,
  randomBytes,
  readHeader,
  type Signed,
} from "@guard/core";
import { type Accomplices, type Choose, forgedAnswer, madeReceipt } from "./accomplices.ts";
import type { Call } from "./lie.ts";
import { type Memory, viewKinds } from "./memory.ts";

export interface Tools {
  readonly choose: Choose;
  readonly memory: Memory;
  readonly accomplices: Accomplices;
  readonly now: () => number;
  /** Whether this client may be kept waiting for long. */
  readonly patient: boolean;
  /** The honest answer, remembered; null where it is not a 2xx with JSON. */
  honest(): Promise<{ status: number; value: unknown } | null>;
  /** Does something once a few more calls have come. */
  later(work: () => Promise<unknown>): void;
}

export type Telling = (call: Call, tools: Tools) => Promise<Response | undefined>;

const states: readonly RequestState[] = [
  "approved",
  "pending",
  "rejected",
  "expired",
  "cancelled",
  "superseded",
  "executing",
  "completed",
  "unknown",
];
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

const someDigest = () => base64url(randomBytes(32));
const pick = <T>(choose: Choose, all: readonly T[]): T | undefined => all[choose(Math.max(all.length, 1))];
const refusal = (status: number, code: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { code, message: "says the relay" } }, { status, headers });

/** Changes the honest answer; `change` returns undefined where it does not apply. */
async function change<T>(tools: Tools, how: (value: T) => unknown): Promise<Response | undefined> {
  const honest = await tools.honest();
  if (honest === null) return undefined;
  const value = await how(honest.value as T);
  return Response.json(value ?? honest.value, { status: honest.status });
}

/** One changed character of a text: another one of its alphabet. */
function bitten(text: string, choose: Choose): string {
  if (text === "") return "A";
  const at = choose(text.length);
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}

function shortened<T extends string | readonly unknown[]>(value: T, choose: Choose): T {
  return value.slice(0, choose(value.length + 1)) as T;
}

async function forgeView(view: RequestView, tools: Tools): Promise<RequestView> {
  const { choose, accomplices } = tools;
  const state = states[choose(states.length)] as RequestState;
  const forged = () => forgedAnswer(view, accomplices, choose);
  switch (choose(7)) {
    case 0:
      return { ...view, state };
    case 1:
      return { ...view, state: "approved", answers: [...view.answers, await forged(), await forged()] };
    case 2:
      return { ...view, state, answers: [await forged()] };
    case 3:
      return { ...view, version: [0, view.version + 1000, Number.MAX_SAFE_INTEGER, -1][choose(4)] as number };
    case 4: {
      const body = view.header.body
        .replace(/"quorum":\d+/, '"quorum":1')
        .replace(/"expiresAt":(\d)/, '"expiresAt":9');
      return { ...view, state, header: { ...view.header, body } };
    }
    case 5:
      return { ...view, roster: { seq: view.roster.seq + choose(3), hash: someDigest() } };
    default: {
      const statement = (answer: Answer): Answer => ({
        ...answer,
        statement: {
          ...answer.statement,
          body: answer.statement.body.replace('"decision":"reject"', '"decision":"approve"'),
        },
      });
      return { ...view, state: "approved", answers: view.answers.map(statement) };
    }
  }
}

function forgePage(page: RosterPage, choose: Choose): RosterPage {
  if (choose(3) === 0) return { ...page, head: { seq: page.head.seq + choose(3), hash: someDigest() } };
  const at = choose(page.entries.length);
  const forged = (entry: Signed): Signed => {
    const body = entry.body
      .replace(/"publicKey":"(.)/, (_, first) => `"publicKey":"${first === "A" ? "B" : "A"}`)
      .replace(/"kind":"revoke"/, '"kind":"renew"');
    return body === entry.body
      ? { ...entry, signature: bitten(String(entry.signature), choose) }
      : { ...entry, body };
  };
  return { ...page, entries: page.entries.map((entry, i) => (i === at ? forged(entry) : entry)) };
}

function forgeReceipt(receipt: Signed, choose: Choose): Signed {
  const name = ["attempt", "request", "effective", "relay", "requestDigest"][choose(5)];
  if (choose(2) === 0) return { ...receipt, signature: bitten(String(receipt.signature), choose) };
  return { ...receipt, body: receipt.body.replace(new RegExp(`"${name}":"(.)`), `"${name}":"_`) };
}

const forge: Telling = async ({ kind }, tools) => {
  const { choose } = tools;
  if (viewKinds.has(kind)) return change<RequestView>(tools, (view) => forgeView(view, tools));
  if (kind === "roster") return change<RosterPage>(tools, (page) => forgePage(page, choose));
  if (kind === "consume")
    return change<{ receipt: Signed }>(tools, ({ receipt }) => ({ receipt: forgeReceipt(receipt, choose) }));
  if (kind === "list")
    return change<RequestList>(tools, (list) => ({
      ...list,
      requests: [...list.requests, { request: someDigest(), state: "pending", version: 1 }],
    }));
  return undefined;
};

/** Says that nothing happened: no answers, no requests, an old roster, or that there is no such thing. */
const withhold: Telling = async ({ kind }, tools) => {
  const { choose } = tools;
  if (choose(6) === 5) return refusal(404, "not_found");
  if (viewKinds.has(kind))
    return change<RequestView>(tools, (view) =>
      choose(2) === 0
        ? { ...view, state: "pending", answers: [] }
        : { ...view, answers: view.answers.filter(() => choose(2) === 0) },
    );
  if (kind === "list") return change<RequestList>(tools, (list) => ({ ...list, requests: [] }));
  if (kind === "roster")
    return change<RosterPage>(tools, (page) => {
      const entries = shortened(page.entries, choose);
      return { entries, head: choose(2) === 0 ? page.head : { seq: entries.length, hash: page.head.hash } };
    });
  return undefined;
};

/** An earlier answer to the same kind of call, whoever got it. */
const replay: Telling = async ({ kind, request }, { choose, memory }) => {
  const again = (value: unknown) => (value === undefined ? undefined : Response.json(value));
  if (viewKinds.has(kind)) {
    const same = memory.views.filter((view) => view.request === request);
    return again(pick(choose, same.length > 0 && choose(4) > 0 ? same : memory.views));
  }
  if (kind === "roster") return again(pick(choose, memory.pages));
  if (kind === "list") return again(pick(choose, memory.lists));
  if (kind !== "consume") return undefined;
  const receipt = pick(choose, memory.receipts);
  return receipt && again({ receipt });
};

/** Parts of other answers in this one. */
const splice: Telling = async ({ kind }, tools) => {
  const { choose, memory } = tools;
  if (viewKinds.has(kind))
    return change<RequestView>(tools, (view) => {
      const other = pick(choose, memory.views);
      if (!other) return undefined;
      const replies = memory.answers.map((answer) => answer.reply);
      switch (choose(8)) {
        case 0:
          return { ...view, answers: other.answers, state: other.state };
        case 1:
          return { ...view, answers: [...view.answers, ...memory.answers], state: "approved" };
        case 2:
          return { ...view, header: other.header };
        case 3:
          return { ...view, ciphertext: other.ciphertext };
        case 4:
          return { ...view, wrap: other.wrap };
        case 5:
          return { ...other, request: view.request, state: view.state };
        case 6:
          return { ...view, header: other.header, ciphertext: other.ciphertext, wrap: other.wrap };
        default:
          return {
            ...view,
            answers: view.answers.map((answer) => ({ ...answer, reply: pick(choose, replies) ?? null })),
          };
      }
    });
  if (kind === "consume" && memory.receipts.length > 0) {
    return change<{ receipt: Signed }>(tools, ({ receipt }) => {
      const other = pick(choose, memory.receipts) as Signed;
      return { receipt: choose(2) === 0 ? other : { body: receipt.body, signature: other.signature } };
    });
  }
  if (kind === "roster")
    return change<RosterPage>(tools, (page) => {
      const entry = pick(choose, page.entries);
      const at = choose(page.entries.length + 1);
      return entry && { ...page, entries: page.entries.toSpliced(at, choose(2), entry) };
    });
  return undefined;
};

const reorder: Telling = async ({ kind }, tools) => {
  const { choose } = tools;
  if (choose(3) === 0) {
    await new Promise((resolve) => setTimeout(resolve, choose(30)));
    return change<unknown>(tools, (value) => value);
  }
  if (viewKinds.has(kind))
    return change<RequestView>(tools, (view) => ({
      ...view,
      answers: [...view.answers, ...view.answers].reverse(),
    }));
  if (kind === "list")
    return change<RequestList>(tools, (list) => ({ ...list, requests: list.requests.toReversed() }));
  if (kind === "roster")
    return change<RosterPage>(tools, (page) => ({ ...page, entries: page.entries.toReversed() }));
  return undefined;
};

const truncate: Telling = async ({ kind }, tools) => {
  const { choose } = tools;
  if (viewKinds.has(kind) && choose(2) === 0)
    return change<RequestView>(tools, (view) => {
      const { ciphertext, wrap } = view;
      return choose(2) === 0 || !wrap
        ? {
            ...view,
            ciphertext: choose(2) === 0 ? shortened(ciphertext, choose) : bitten(ciphertext, choose),
          }
        : {
            ...view,
            wrap: { ...wrap, ciphertext: bitten(wrap.ciphertext, choose), enc: shortened(wrap.enc, choose) },
          };
    });
  const honest = await tools.honest();
  if (honest === null) return undefined;
  return new Response(shortened(JSON.stringify(honest.value), choose), {
    status: honest.status,
    headers: { "content-type": "application/json" },
  });
};

/**
 * One approval for several processes: an approved request is shown as if nobody had used it, and every consume gets
 * a receipt (with the relay's own key, where the liar has it).
 */
const equivocate: Telling = async ({ kind, request, body }, tools) => {
  const { memory, accomplices, choose, now } = tools;
  if (kind === "consume") {
    if (choose(2) === 0) await tools.honest();
    const roster = pick(choose, memory.views)?.roster;
    const { consume } = body as { consume: Signed };
    const honest = JSON.parse(consume.body) as Consume;
    const receipt = await madeReceipt(accomplices, consume, {
      roster: roster && choose(2) === 0 ? roster : honest.roster,
      time: now() - choose(2) * 86_400_000,
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
const swallow: Telling = async ({ kind, request, body }, { memory, choose }) => {
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
const repeat: Telling = async (call, tools) => {
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
const garble: Telling = async ({ kind, signal }, { choose, patient }) => {
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
const clock: Telling = async ({ kind }, tools) =>
  kind === "info"
    ? change<Record<string, unknown>>(tools, (info) => ({ ...info, time: tools.choose(2) * 4e12 }))
    : undefined;

export const lies = {
  forge,
  withhold,
  replay,
  splice,
  reorder,
  truncate,
  equivocate,
  swallow,
  repeat,
  garble,
  clock,
} as const satisfies Record<string, Telling>;

export type LieName = keyof typeof lies;
export const lieNames = Object.keys(lies) as LieName[];
