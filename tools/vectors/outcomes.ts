/** Vectors of outcomes: what statements add up to. */
import {
  digestOf,
  expiryGrace,
  outcomeOf,
  type Roster,
  type Statement,
  type Terms,
} from "../../packages/core/src/index.ts";
import { question, statementOf } from "./answers.ts";
import { word } from "./random.ts";
import { hour } from "./sealing.ts";
import { now, type Person, type VectorFile, type World } from "./world.ts";

export function outcomes(w: World): VectorFile {
  const { alice, bob, carol, dave, mallory } = w.people;
  const cases: object[] = [];
  interface Given {
    readonly terms?: Partial<Terms>;
    readonly now?: number;
    readonly roster?: Roster;
    readonly said: readonly [Person, Partial<Statement>?][];
  }
  function add(name: string, given: Given, status: string, effective: string | null = null) {
    const ask = question(w, "outcomes", given.terms);
    const said = given.said.map(([who, change]) => statementOf(w, ask, who, change));
    const roster = given.roster ?? w.calm;
    const at = given.now ?? now + hour / 2;
    const outcome = outcomeOf(ask, roster, said, at);
    const expected = effective === "asked" ? ask.actionDigest : effective;
    if (outcome.status !== status || outcome.effective !== expected)
      throw new Error(`outcomes: ${name} is ${JSON.stringify(outcome)}`);
    cases.push({ name, terms: ask.terms, roster: roster.head.seq, now: at, statements: said, outcome });
  }
  const edit = (text: string, time = now): Partial<Statement> => ({
    effective: digestOf(text),
    response: digestOf("reply"),
    time,
  });
  const no: Partial<Statement> = { decision: "reject" };
  const two = { quorum: 2 };
  const late = question(w, "outcomes").expiresAt;
  add("nobody answered", { said: [] }, "pending");
  add("nobody answered, one millisecond before expiry", { said: [], now: late - 1 }, "pending");
  add("withheld-answer: nobody answered, at expiry", { said: [], now: late }, "expired");
  add("one of one", { said: [[alice]] }, "approved", "asked");
  add("counted after expiry", { said: [[alice]], now: late + hour }, "approved", "asked");
  add(
    "expiry-race: signed in the grace",
    { said: [[alice, { time: late + expiryGrace }]], now: late + 1 },
    "approved",
    "asked",
  );
  add(
    "expiry-race: signed after the grace",
    { said: [[alice, { time: late + expiryGrace + 1 }]], now: late + 1 },
    "expired",
  );
  add("a rejection", { said: [[alice, no]] }, "rejected");
  add("vote-after-terminal: one approves, one rejects", { said: [[alice], [bob, no]] }, "rejected");
  add("vote-after-terminal: in the other order", { said: [[bob, no], [alice]] }, "rejected");
  add("two rejections needed, one given", { terms: { rejections: 2 }, said: [[alice, no]] }, "pending");
  add(
    "two rejections needed, one given, another approves",
    { terms: { rejections: 2 }, said: [[alice, no], [bob]] },
    "approved",
    "asked",
  );
  add(
    "an identity that answered both ways has rejected",
    { terms: { rejections: 2 }, said: [[alice], [alice, { ...no, time: now }]] },
    "pending",
  );
  add("one of two", { terms: two, said: [[alice]] }, "pending");
  add("two of two", { terms: two, said: [[alice], [bob]] }, "approved", "asked");
  add(
    "one-person-quorum: the same person twice",
    { terms: two, said: [[alice], [alice, { time: now }]] },
    "pending",
  );
  add("not-an-approver: an outsider does not count", { terms: two, said: [[alice], [mallory]] }, "pending");
  add(
    "self-approval: the requester does not count",
    { terms: { requester: alice.identity }, said: [[alice]] },
    "pending",
  );
  add(
    "self-approval: nor rejects",
    { terms: { requester: alice.identity }, said: [[alice, no], [bob]] },
    "approved",
    "asked",
  );
  add("an edit, quorum 1", { said: [[alice, edit("e1")]] }, "approved", digestOf("e1"));
  add(
    "an edit where none is allowed",
    { terms: { editable: false }, said: [[alice, edit("e1")]] },
    "pending",
  );
  add(
    "an edit and an approval as asked, quorum 1",
    {
      said: [
        [alice, edit("e1", now)],
        [bob, { time: now + 1000 }],
      ],
    },
    "approved",
    "asked",
  );
  add(
    "two edits: the earlier stands",
    {
      said: [
        [alice, edit("e1", now + 1)],
        [bob, edit("e2", now)],
      ],
    },
    "approved",
    digestOf("e2"),
  );
  const [low, high] = [digestOf("e1"), digestOf("e2")].sort();
  add(
    "two edits at one time: the smaller digest stands",
    {
      said: [
        [alice, { ...edit("e1"), effective: high as string }],
        [bob, { ...edit("e1"), effective: low as string }],
      ],
    },
    "approved",
    low as string,
  );
  add(
    "an edit, quorum 2, is asked anew",
    { terms: two, said: [[alice, edit("e1")]] },
    "superseded",
    digestOf("e1"),
  );
  add(
    "the same edit twice, quorum 2, is asked anew",
    {
      terms: two,
      said: [
        [alice, edit("e1")],
        [bob, edit("e1")],
      ],
    },
    "superseded",
    digestOf("e1"),
  );
  add(
    "quorum 2 as asked, and an edit",
    { terms: two, said: [[alice, edit("e1")], [bob], [carol]] },
    "approved",
    "asked",
  );
  add(
    "quorum 2, one as asked, one edit",
    { terms: two, said: [[alice], [bob, edit("e1")]] },
    "superseded",
    digestOf("e1"),
  );
  add(
    "an edit of somebody who rejected",
    {
      terms: { rejections: 2 },
      said: [
        [alice, edit("e1")],
        [alice, no],
      ],
    },
    "pending",
  );
  add(
    "an edit, after expiry",
    { terms: two, said: [[alice, edit("e1")]], now: late + 1 },
    "superseded",
    digestOf("e1"),
  );
  add("revoked-device: by the later roster", { roster: w.later, said: [[alice]] }, "pending");
  add(
    "revoked-device: of two, one is left",
    { roster: w.later, terms: two, said: [[alice], [carol], [bob], [dave]] },
    "approved",
    "asked",
  );
  add(
    "revoked-device: a rejection goes with its device",
    { roster: w.later, said: [[alice, no], [carol]] },
    "approved",
    "asked",
  );
  add("a device before it was enrolled", { roster: w.later.at(8), said: [[carol]] }, "pending");
  add(
    "cross-request-splice: another paper's statement",
    { said: [[alice, { requestDigest: word("p") }]] },
    "pending",
  );
  add("cross-tenant: another app's statement", { said: [[alice, { app: word("app") }]] }, "pending");
  const { terms: _, ...ask } = question(w, "outcomes");
  return {
    description:
      "Counting (section 8). `question` with a case's `terms`, its statements (signatures are checked before), the roster of rosters.json with entry `roster` as its head, and `now` give `outcome`, in whatever order the statements are.",
    question: ask,
    cases,
  };
}
