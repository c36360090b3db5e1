/** Any mix of calls, answered in any order, with workers at any time: what has run, and what the model heard, follows. */
import type { Held } from "@guard/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectWhole, lookup, pay, play, ranOf, resultOf, scene, turnOf, wipe } from "../scene.ts";
import type { Call, Subject } from "../subject.ts";

const edited = { to: "carol", amount: 7 };

interface Fate {
  readonly call: (at: number) => Call;
  readonly give?: (held: Held) => Promise<void>;
  /** What runs of it, and what the model reads. */
  readonly runs: (call: Call) => string | null;
  readonly reads: RegExp;
}

const fates: Readonly<Record<string, Fate>> = {
  approved: {
    call: payment,
    give: (held) => held.approve(),
    runs: (call) => ranOf(call),
    reads: /^done: pay/,
  },
  edited: {
    call: payment,
    give: (held) => held.edit(edited),
    runs: (call) => ranOf(call, edited),
    reads: /^done: pay {"amount":7,"to":"carol"}/,
  },
  rejected: { call: payment, give: (held) => held.reject("no"), runs: () => null, reads: /rejected pay: no/ },
  allowed: {
    call: (at) => lookup(`c${at}`, String(at)),
    runs: (call) => ranOf(call),
    reads: /^done: lookup/,
  },
  denied: { call: (at) => wipe(`c${at}`), runs: () => null, reads: /not emptied by agents/ },
};

function payment(at: number): Call {
  return pay(`c${at}`, 100 + at);
}

const plans = (possible: readonly string[]) =>
  fc.array(fc.constantFrom(...possible), { minLength: 1, maxLength: 5 }).chain((names) =>
    fc.record({
      names: fc.constant(names),
      order: fc.shuffledSubarray(
        names.map((_, at) => at),
        { minLength: names.length },
      ),
      each: fc.boolean(),
    }),
  );

export function random(subject: Subject): void {
  if (subject.traits.calls === "one") return;

  const possible = Object.keys(fates).filter((name) => name !== "edited" || subject.traits.edits);

  test("sibling-loss, positional-mismatch: any calls, any outcomes, any order", async () => {
    await fc.assert(
      fc.asyncProperty(plans(possible), async ({ names, order, each }) => {
        const calls = names.map((name, at) => ({ ...(fates[name] as Fate), call: fateCall(name, at) }));
        const s = await scene(subject, { script: turnOf(...calls.map(({ call }) => call)) });
        const answers = calls.map(({ call, give }) =>
          give ? { held: s.approver.expect(call.tool, call.args).hold(), give } : null,
        );
        await play(
          s,
          order.flatMap((at) => answers[at] ?? []),
          { each },
        );
        const ran = calls.flatMap(({ call, runs }) => runs(call) ?? []);
        expect(s.tools.ran.toSorted()).toEqual(ran.toSorted());
        for (const { call, reads } of calls) expect((await resultOf(s, call.id)).text).toMatch(reads);
        expect(s.asked).toHaveLength(answers.filter((answer) => answer !== null).length);
        await expectWhole(s);
        s.approver.done();
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });
}

const fateCall = (name: string, at: number) => (fates[name] as Fate).call(at);
