/** Where the guard lets a call pass, it is to the model as if there were no guard: results, and other errors. */
import type { Json, Rule } from "@guard/core";
import { expect, test } from "vitest";
import { heard, play, type Scene, scene, turnOf } from "../scene.ts";
import type { Call, Subject } from "../subject.ts";

const allow: readonly Rule[] = [{ tool: "*", then: "allow" }];

/** What a tool does, by whom it pays. */
const bodies: Readonly<Record<string, () => unknown>> = {
  "an error": fails(() => new Error("the bank is closed")),
  "an error of another class": fails(() => new RangeError("too far")),
  "something thrown that is no error": fails(() => "just a text"),
  "an object": () => ({ ok: true, list: [1, 2], at: null }),
  "a number": () => 42,
  "an empty text": () => "",
};

const runs = Object.keys(bodies).map((to) => ({
  id: to.replaceAll(" ", "-"),
  tool: "pay",
  args: { to, amount: 1 },
}));
const unfit: Call = { id: "input-that-does-not-fit", tool: "pay", args: { to: 5 } };
const unknown: Call = { id: "a-tool-that-there-is-not", tool: "pya", args: {} };

export function transparent(subject: Subject): void {
  if (!subject.traits.model) return;

  const start = async (calls: readonly Call[], rules: readonly Rule[]) => {
    const s = await scene(subject, { script: turnOf(...calls), rules });
    s.tools.behave("pay", (args: Json) => bodies[(args as { to: string }).to]?.());
    return s;
  };

  /** What the model was given for the calls, and what the run failed with. */
  async function told(s: Scene, running: Promise<void>) {
    const failure = await running.then(
      () => null,
      (error: unknown) => String(error),
    );
    const { results } = await heard(s);
    const texts = results.map(({ id, kind, text }) => [id, { kind, text: withoutStack(text) }] as const);
    return { failure, results: Object.fromEntries(texts) };
  }

  test("what an allowed call gives, and how it fails, is what it was without the plugin", async () => {
    const calls = [...runs, unfit, unknown];
    const plain = await start(calls, allow);
    const without = await told(plain, plain.chat.process(null).start());
    expect(Object.keys(without.results)).toHaveLength(calls.length);
    for (const [id, text] of Object.entries(subject.traits.unlike ?? {})) {
      expect(without.results[id]?.text).not.toBe(text);
      without.results[id] = { kind: "error", text };
    }
    const allowed = await start(calls, allow);
    expect(await told(allowed, allowed.process().start())).toEqual(without);
    expect(allowed.tools.ran.toSorted()).toEqual(plain.tools.ran.toSorted());
  });

  test("what an approved call gives, and how it fails, is what it was without the plugin", async () => {
    const calls = runs.filter(({ args }) => ["an error", "an object"].includes(args.to));
    const plain = await start(calls, allow);
    const without = await told(plain, plain.chat.process(null).start());
    const asked = await start(calls, []);
    const answers = calls.map(({ args }) => ({
      held: asked.approver.expect("pay", args).hold(),
      give: (of: { approve(): Promise<void> }) => of.approve(),
    }));
    expect(await told(asked, play(asked, answers))).toEqual(without);
    expect(asked.tools.ran.toSorted()).toEqual(plain.tools.ran.toSorted());
  });
}

function fails(make: () => unknown): () => never {
  return () => {
    throw make();
  };
}

/** LangChain tells the model an error's stack; the plugin stands in it. */
const withoutStack = (text: string) => text.replaceAll(/^ +at .*\n/gm, "");
