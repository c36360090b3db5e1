/** Lies made of what the honest relay said: less of it, earlier words of it, and parts of several answers in one. */
import {
  idOf,
  type NewRequest,
  type RequestList,
  type RequestView,
  type RosterPage,
  readHeader,
  type Signed,
} from "@guard/core";
import { type Memory, viewKinds } from "./memory.ts";
import { bitten, change, pick, refusal, shortened, type Telling } from "./telling.ts";

/** Says that nothing happened: no answers, no requests, an old roster, or that there is no such thing. */
export const withhold: Telling = async ({ kind }, tools) => {
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
      const last = entries.at(-1);
      if (!last || choose(3) === 0) return { ...page, entries };
      const { seq } = JSON.parse(last.body) as { seq: number };
      return { entries, head: { seq, hash: idOf(last) } };
    });
  return undefined;
};

/** An earlier answer to the same kind of call, whoever got it. */
export const replay: Telling = async ({ kind, request, body }, { choose, memory }) => {
  const again = (value: unknown) => (value === undefined ? undefined : Response.json(value));
  if (kind === "ask" && choose(3) > 0) return prunedView(body as NewRequest, memory);
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

/** As if an earlier request of this id had been pruned, with its answers played for the one that is posted now. */
function prunedView({ header, ciphertext }: NewRequest, { views }: Memory): Response | undefined {
  const { request } = readHeader(header);
  const old = views.findLast((view) => view.request === request && view.answers.length > 0);
  return old && Response.json({ ...old, state: "approved", header, ciphertext, wrap: null });
}

/** Parts of other answers in this one. */
export const splice: Telling = async ({ kind }, tools) => {
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

export const reorder: Telling = async ({ kind }, tools) => {
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

export const truncate: Telling = async ({ kind }, tools) => {
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
