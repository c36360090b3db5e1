/** Where the guard lets a call pass, it is to the model as if there were no guard: results, and other errors. */
import type { Rule } from "@guard/core";
import { expect, test } from "vitest";
import { heard, pay, play, type Scene, scene, turnOf } from "../scene.ts";
import type { Call, Subject, Transcript } from "../subject.ts";

const allow: readonly Rule[] = [{ tool: "*", then: "allow" }];

interface Case {
  readonly title: string;
  readonly call: Call;
  readonly body?: () => unknown;
}

const cases: readonly Case[] = [
  { title: "an error", call: pay("c1", 1), body: fails(() => new Error("the bank is closed")) },
  { title: "an error of another class", call: pay("c1", 1), body: fails(() => new RangeError("too far")) },
  { title: "something thrown that is no error", call: pay("c1", 1), body: fails(() => "just a text") },
  { title: "an object", call: pay("c1", 1), body: () => ({ ok: true, list: [1, 2], at: null }) },
  { title: "a number", call: pay("c1", 1), body: () => 42 },
  { title: "an empty text", call: pay("c1", 1), body: () => "" },
  { title: "input that does not fit", call: { id: "c1", tool: "pay", args: { to: 5 } } },
  { title: "a tool that there is not", call: { id: "c1", tool: "pya", args: {} } },
];

export function transparent(subject: Subject): void {
  if (!subject.traits.model) return;

  /** What the model was given for the call, and what the run failed with. */
  async function told(s: Scene, call: Case, running: Promise<void>) {
    const failure = await running.then(
      () => null,
      (error: unknown) => String(error),
    );
    const { results }: Transcript = await heard(s);
    const own = results.filter(({ id }) => id === call.call.id);
    return { results: own.map((result) => ({ ...result, text: withoutStack(result.text) })), failure };
  }

  test.for(cases)("other tool errors stay what they were without the plugin: $title", async (each) => {
    const { call, body } = each;
    const start = async (rules: readonly Rule[]) => {
      const s = await scene(subject, { script: turnOf(call), rules });
      if (body) s.tools.behave("pay", body);
      return s;
    };
    const plain = await start(allow);
    const without = await told(plain, each, plain.chat.process(null).start());
    const unlike = subject.traits.unlike?.[each.title];
    if (unlike !== undefined) {
      expect(without.results[0]?.text).not.toBe(unlike);
      without.results = without.results.map((result) => ({ ...result, text: unlike }));
    }
    const allowed = await start(allow);
    expect(await told(allowed, each, allowed.process().start()), "allowed").toEqual(without);
    expect(allowed.tools.ran, "allowed").toEqual(plain.tools.ran);
    if (!body) return;
    const asked = await start([]);
    const held = asked.approver.expect("pay").hold();
    const running = play(asked, [{ held, give: (of) => of.approve() }]);
    expect(await told(asked, each, running), "approved").toEqual(without);
    expect(asked.tools.ran, "approved").toEqual(plain.tools.ran);
  });
}

function fails(make: () => unknown): () => never {
  return () => {
    throw make();
  };
}

/** LangChain tells the model an error's stack; the plugin stands in it. */
const withoutStack = (text: string) => text.replaceAll(/^ +at .*\n/gm, "");
