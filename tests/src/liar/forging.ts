/** The lie `forge`: states, answers, rosters and receipts that nobody signed, or that an accomplice did. */
import {
  type Answer,
  idOf,
  type RequestList,
  type RequestView,
  type RosterPage,
  requestStates,
  type Signed,
} from "@guard/core";
import { forgedAnswers, forgedRequest, madeReceipt, plantedDevice } from "./accomplices.ts";
import type { Choose } from "./choices.ts";
import { viewKinds } from "./memory.ts";
import { bitten, change, someDigest, type Telling, type Tools } from "./telling.ts";

async function forgeView(view: RequestView, tools: Tools): Promise<RequestView> {
  const { choose, accomplices, memory } = tools;
  const state = requestStates[choose(requestStates.length)] as RequestView["state"];
  const by = { ...accomplices, devices: [...accomplices.devices, ...memory.planted] };
  const forged = () => forgedAnswers(view, by, { choose, devices: memory.devices });
  if (view.wrap && choose(4) === 0) return forgedRequest(view, memory.devices);
  switch (choose(9)) {
    case 0:
      return { ...view, state };
    case 1:
    case 6:
    case 7:
      return { ...view, state: "approved", answers: [...view.answers, ...(await forged())] };
    case 2:
      return { ...view, state: choose(2) === 0 ? state : "approved", answers: await forged() };
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

async function forgePage(page: RosterPage, { choose, memory }: Tools): Promise<RosterPage> {
  const how = choose(4);
  if (how === 0) return { ...page, head: { seq: page.head.seq + choose(3), hash: someDigest() } };
  const last = page.entries.at(-1);
  const people = [...new Set([...memory.devices.values()].map(({ identity }) => identity))];
  const identity = people[choose(people.length || 1)];
  if (how > 1 && last && identity && idOf(last) === page.head.hash) {
    const { entry, accomplice } = await plantedDevice(last, identity);
    memory.planted.push(accomplice);
    return { entries: [...page.entries, entry], head: { seq: page.head.seq + 1, hash: idOf(entry) } };
  }
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

export const forge: Telling = async ({ kind, body }, tools) => {
  const { choose, accomplices, memory, now } = tools;
  if (viewKinds.has(kind)) return change<RequestView>(tools, (view) => forgeView(view, tools));
  if (kind === "roster") return change<RosterPage>(tools, (page) => forgePage(page, tools));
  if (kind === "consume") {
    // With the relay's key it needs nobody's word, and for what was never approved it would not get any.
    const signed =
      choose(4) > 0
        ? await madeReceipt(accomplices, (body as { consume: Signed }).consume, { now: now() })
        : null;
    if (signed) return Response.json({ receipt: signed });
    return change<{ receipt: Signed }>(tools, ({ receipt }) => ({ receipt: forgeReceipt(receipt, choose) }));
  }
  if (kind === "list")
    return change<RequestList>(tools, (list) => ({
      ...list,
      // Everything that ever was, as if it were open.
      requests: [...new Set([...memory.views.map(({ request }) => request), someDigest()])].map(
        (request) => ({
          request,
          state: "pending",
          version: 1,
        }),
      ),
    }));
  return undefined;
};
