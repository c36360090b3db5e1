// guard.protect: functions and objects behind the gate, and the ways past it that are closed.
import type { Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
const policy: Rule[] = [
  { tool: "shop.refund", when: { amount: { lte: 50 } }, then: "allow" },
  { tool: "shop.total", then: "allow" },
];
async function kit() {
  const made = await testGuard({ policy });
  open.push(made);
  return made;
}

class Base {
  readonly name = "Acme";
  audit(entry: { text: string }): string {
    return `${this.name}: ${entry.text}`;
  }
}
/** Private fields, a getter, a setter, an arrow function, an inherited method, an object inside. */
class Shop extends Base {
  #refunds: [string, number][] = [];
  rate = 3;
  readonly payments = { refund: (amount: number) => amount };
  readonly ping = async (): Promise<string> => `pong ${this.#refunds.length}`;
  get count(): number {
    return this.#refunds.length;
  }
  refund(order: string, amount: number, note?: string): number {
    this.#refunds.push([order, amount]);
    return note === undefined ? amount : note.length;
  }
  total(from = 0): number {
    return this.#refunds.reduce((sum, [, amount]) => sum + amount, from);
  }
  seen(): readonly [string, number][] {
    return this.#refunds;
  }
}
const methods = { refund: { params: ["order", "amount", "note"] } } as const;

describe("an object", () => {
  test("its methods are asked under their names, and run on the object itself", async () => {
    const { guard, approver } = await kit();
    const own = new Shop();
    const shop = guard.protect("shop", own, { methods, ungated: ["seen"] });
    approver.expect("shop.refund", { order: "A-1", amount: 900 }).approve();
    const refunded: number = await shop.refund("A-1", 900);
    expect(refunded).toBe(900);
    expect(await shop.refund("A-2", 20)).toBe(20);
    expect(await shop.total()).toBe(920);
    approver.expect("shop.ping", {}).approve();
    expect(await shop.ping()).toBe("pong 2");
    approver.expect("shop.audit", { text: "x" }).approve();
    expect(await shop.audit({ text: "x" })).toBe("Acme: x");
    expect(shop.seen()).toEqual([
      ["A-1", 900],
      ["A-2", 20],
    ]);
    approver.done();
  });

  test("a rejected call does not run, and its siblings do", async () => {
    const { guard, approver } = await kit();
    const own = new Shop();
    const shop = guard.protect("shop", own, { methods });
    approver.expect("shop.refund", { order: "A-1", amount: 900 }).reject("too much");
    approver.expect("shop.refund", { order: "A-2", amount: 800 }).approve();
    const ends = await Promise.allSettled([shop.refund("A-1", 900), shop.refund("A-2", 800)]);
    expect(ends).toMatchObject([
      { status: "rejected", reason: { code: "rejected", reason: "too much" } },
      { status: "fulfilled", value: 800 },
    ]);
    expect(own.seen()).toEqual([["A-2", 800]]);
  });

  test("edited arguments get their places back; edited-tool-escape: what no parameter takes is refused", async () => {
    const { guard, approver } = await kit();
    const own = new Shop();
    const schema = z.looseObject({ order: z.string(), amount: z.number(), note: z.string().optional() });
    const shop = guard.protect("shop", own, { methods: { refund: { ...methods.refund, schema } } });
    approver.expect("shop.refund").edit({ amount: 90, order: "A-9" });
    expect(await shop.refund("A-1", 900, "note")).toBe(90);
    approver.expect("shop.refund").edit({ order: "A-1", amount: 1, admin: true });
    await expect(shop.refund("A-1", 900)).rejects.toMatchObject({ code: "validation" });
    expect(own.seen()).toEqual([["A-9", 90]]);
  });

  test("facts are told what the method will be called with", async () => {
    const { guard, approver } = await kit();
    const shop = guard.protect("shop", new Shop(), {
      methods: {
        refund: { ...methods.refund, facts: (order, amount) => ({ title: `${order}: ${amount * 2}` }) },
      },
    });
    const held = approver.expect("shop.refund").hold();
    const running = shop.refund("A-1", 900);
    expect((await held.arrived).facts.title).toBe("A-1: 1800");
    await held.approve();
    await running;
  });

  test("toctou-args: what changes after the call is neither shown nor run", async () => {
    const { guard, approver } = await kit();
    const log: unknown[] = [];
    const store = guard.protect("store", { put: (item: { tags: string[] }) => log.push(item) });
    const item = { tags: ["a"] };
    approver.expect("store.put", { tags: ["a"] }).approve();
    const running = store.put(item);
    item.tags.push("b");
    await running;
    expect(log).toEqual([{ tags: ["a"] }]);
  });

  test("positional-mismatch: what has no name is not run", async () => {
    const { guard, approver } = await kit();
    const own = new Shop();
    const shop = guard.protect("shop", own, { methods });
    const lax = shop as unknown as { [name: string]: (...args: unknown[]) => Promise<unknown> };
    await expect(lax.refund?.("A", 1, "note", "more")).rejects.toThrow("called with 4 arguments");
    await expect(lax.total?.(5)).rejects.toThrow("methods: { total: { params: […] } }");
    await expect(lax.audit?.(["x"])).rejects.toMatchObject({ code: "validation" });
    expect(own.seen()).toEqual([]);
    approver.done();
  });

  test("prototype-ids: a left-out argument is not found on a prototype", async () => {
    const { guard, approver } = await kit();
    const calls: unknown[][] = [];
    const api = { call: (...given: [string?, string?]) => calls.push(given) };
    const guarded = guard.protect("api", api, {
      methods: { call: { params: ["constructor", "__proto__"] } },
    });
    approver.expect("api.call").approve();
    approver.expect("api.call").approve();
    await guarded.call();
    await guarded.call(undefined, "x");
    expect(calls).toEqual([
      [undefined, undefined],
      [undefined, "x"],
    ]);
  });

  test("a way past the guard is closed: objects inside, later members, replaced methods", async () => {
    const { guard } = await kit();
    const own = new Shop();
    const shop = guard.protect("shop", own, { methods });
    expect(() => Reflect.get(shop, "payments")).toThrow('guard.protect("shop.payments", …)');
    expect([shop.name, shop.rate, shop.count]).toEqual(["Acme", 3, 0]);
    own.refund("A", 1);
    own.rate = 4;
    expect([shop.rate, shop.count]).toEqual([4, 1]);
    Object.assign(own, { wipe: () => "wiped", rate: () => "rated" });
    expect(Reflect.get(shop, "wipe")).toBeUndefined();
    expect(() => shop.rate).toThrow("in ungated");
    expect(Reflect.set(shop, "refund", own.refund)).toBe(false);
    expect(shop instanceof Shop).toBe(false);
    expect(Object.keys(shop)).not.toContain("constructor");
  });

  test("misuse fails when it is set up, with what to do", async () => {
    const { guard } = await kit();
    const shop = new Shop();
    const lax = (object: unknown, options?: object) => () =>
      guard.protect("shop", object as object, options as never);
    expect(lax(shop)).toThrow("takes 3 arguments. Name what it takes: methods: { refund: { params: […] } }");
    expect(lax(shop, { methods: { refund: { params: ["order"] } } })).toThrow("names its 3 arguments");
    expect(lax(shop, { methods: { refund: { params: ["a", "a"] } } })).toThrow("each once");
    expect(lax(shop, { methods: { refnd: {} } })).toThrow("no method refnd");
    expect(lax(shop, { methods: { rate: {} } })).toThrow("no method rate");
    expect(lax(shop, { methods: { refund: { names: [] } } })).toThrow("no option names");
    expect(lax(shop, { methods, ungated: ["sen"] })).toThrow("no member sen");
    expect(lax(shop, { methods, ungated: ["refund"] })).toThrow("Remove one of the two");
    expect(lax(shop, { methods, facts: {} })).toThrow("no option facts");
    expect(lax({ a: 1 })).toThrow("nothing to guard");
    expect(lax(null)).toThrow("needs a function");
    expect(lax({ async *all() {} })).toThrow("shop.all is a generator");
    expect(lax({ Shop })).toThrow("shop.Shop is a class");
    expect(lax(Promise.resolve(shop))).toThrow("Await it first");
    expect(lax(shop, { methods: { refund: { params: "order, amount, note" } } })).toThrow("has to be a list");
    expect(() => guard.protect("", shop, { methods })).toThrow("needs a name");
  });

  test("types: names, results and arguments are the object's own", async () => {
    const { guard } = await kit();
    const shop = guard.protect("shop", new Shop(), { methods, ungated: ["payments", "seen"] });
    const later: (order: string, amount: number, note?: string) => Promise<number> = shop.refund;
    const same: (amount: number) => number = shop.payments.refund;
    const rate: number = shop.rate;
    expect([typeof later, same(1), rate]).toEqual(["function", 1, 3]);
    const never = (..._: unknown[]) => {};
    never(() => {
      // @ts-expect-error: it is a promise now
      shop.total().toFixed();
      // @ts-expect-error: an amount is a number
      shop.refund("A", "1");
      // @ts-expect-error: what total could be given has no name
      shop.total(1);
      // @ts-expect-error: nothing is assigned
      shop.rate = 2;
      // @ts-expect-error: an object inside is not there unless it is ungated
      guard.protect("shop", new Shop(), { methods }).payments;
      // @ts-expect-error: what refund takes has no names
      guard.protect("shop", new Shop()).refund("A", 1);
      // @ts-expect-error: refund takes three things
      guard.protect("shop", new Shop(), { methods: { refund: { params: ["order", "amount"] } } });
      // @ts-expect-error: there is no such member
      guard.protect("shop", new Shop(), { methods, ungated: ["sen"] });
      // @ts-expect-error: there is no such method
      guard.protect("shop", new Shop(), { methods: { refnd: {} } });
      guard.protect("shop", new Shop(), {
        // @ts-expect-error: amounts are numbers
        methods: { refund: { ...methods.refund, facts: (_order, amount) => ({ title: amount.trim() }) } },
      });
    });
  });
});

describe("a function", () => {
  test("sync functions become async, and get the execution's id", async () => {
    const { guard, approver } = await kit();
    const pay = guard.protect("pay", ({ cents }: { cents: number }, { executionId }) => ({
      cents,
      executionId,
    }));
    const held = approver.expect("pay", { cents: 5 }).hold();
    const paying: Promise<{ cents: number; executionId: string }> = pay({ cents: 5 });
    const { request } = await held.arrived;
    await held.approve();
    expect(await paying).toEqual({ cents: 5, executionId: request });
    // @ts-expect-error: it takes cents
    const wrong = () => pay({ euros: 5 });
    expect(typeof wrong).toBe("function");
  });

  test("a question is answered by the argument that the approver fills in (docs/migrate/from-humanlayer.md)", async () => {
    const { guard, approver } = await kit();
    const schema = z.strictObject({ question: z.string(), answer: z.string() });
    const askHuman = guard.protect("askHuman", ({ answer }: z.infer<typeof schema>) => answer, { schema });
    approver
      .expect("askHuman", { question: "Which?", answer: "" })
      .edit({ question: "Which?", answer: "Both" });
    expect(await askHuman({ question: "Which?", answer: "" })).toBe("Both");
  });

  test("a generator is refused: it would run after the evidence says that it has; a class, which cannot be called", async () => {
    const { guard } = await kit();
    expect(() => guard.protect("all", function* () {})).toThrow("Use guard.runStream");
    expect(() => guard.protect("Shop", Shop as never)).toThrow("Protect an object of it");
    expect(() => guard.protect("all", () => 1, { methods: {} } as never)).toThrow("no option methods");
  });
});
