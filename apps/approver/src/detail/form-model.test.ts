import { canonicalJson, type Json } from "@guard/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkEdit } from "./check-edit.ts";
import { blankForm, type FormNode, fromForm, NoValue, toForm } from "./form-model.ts";

const schema: Json = {
  type: "object",
  $defs: {
    item: { type: "object", properties: { sku: { type: "string" }, count: { type: "integer", minimum: 1 } } },
  },
  properties: {
    name: { type: "string", maxLength: 5 },
    amount: { type: "number", maximum: 100 },
    urgent: { type: "boolean" },
    size: { enum: ["s", "m", 3, null] },
    limit: { anyOf: [{ type: "number" }, { type: "null" }] },
    items: { type: "array", items: { $ref: "#/$defs/item" } },
    gift: { type: "string", default: "none" },
    loop: { $ref: "#/properties/loop" },
  },
  required: ["name"],
};
const args = {
  name: "Ann",
  amount: 1.5,
  urgent: false,
  size: 3,
  limit: null,
  items: [{ sku: "x", count: 2 }],
  more: { a: [1] },
};

const members = (form: FormNode) => (form.kind === "object" ? form.members : []);
const member = (form: FormNode, name: string) => members(form).find((one) => one.name === name);
const change = (form: FormNode, name: string, node: FormNode): FormNode =>
  form.kind === "object"
    ? {
        ...form,
        members: form.members.map((one) => (one.name === name ? { ...one, present: true, node } : one)),
      }
    : form;

test("a form has a field of its kind for each member, and one for each that could be added", () => {
  const form = toForm(schema, args);
  const kinds = Object.fromEntries(
    members(form).map(({ name, node, present }) => [name, present && node?.kind]),
  );
  expect(kinds).toEqual({
    name: "text",
    amount: "number",
    urgent: "boolean",
    size: "choice",
    limit: "nullable",
    items: "list",
    more: "json",
    gift: false,
    loop: false,
  });
});

test("an untouched form gives the arguments that it was made from, for any schema and any arguments", () => {
  const value = fc.jsonValue({ maxDepth: 4 }).map((json) => JSON.parse(canonicalJson(json as Json)) as Json);
  const types = fc.constantFrom("string", "number", "integer", "boolean", "object", "array", "null");
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.record({ type: types }),
      fc.record({ type: fc.tuple(types, fc.constant("null")) }),
      fc.record({ enum: fc.array(value, { maxLength: 3 }) }),
      fc.record({ anyOf: fc.tuple(tie("any"), fc.constant({ type: "null" })) }),
      fc.record({ type: fc.constant("array"), items: tie("any") }),
      fc.record({
        type: fc.constant("object"),
        properties: fc.dictionary(fc.string(), tie("any"), { maxKeys: 4 }),
      }),
      fc.record({ $ref: fc.constantFrom("#", "#/properties/a", "#/nowhere", "http://elsewhere") }),
      value,
    ),
  }));
  fc.assert(
    fc.property(any, value, (made, json) => {
      expect(canonicalJson(fromForm(toForm(made as Json, json)))).toBe(canonicalJson(json));
    }),
    { numRuns: 500 },
  );
});

test("an untouched form made from its own schema gives the same arguments, members called __proto__ among them", () => {
  const odd = JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":"x"}') as Json;
  for (const value of [args, odd, [], "text", null]) {
    expect(canonicalJson(fromForm(toForm(schema, value)))).toBe(canonicalJson(value));
    expect(checkEdit(toForm(schema, value), value, schema)).toEqual({ kind: "unchanged" });
  }
});

test("what is typed becomes a value, or is refused in words", () => {
  const form = toForm(schema, args);
  const amount = member(form, "amount")?.node as FormNode;
  const typed = (text: string) => change(form, "amount", { ...amount, text } as FormNode);
  expect(checkEdit(typed("2"), args, schema)).toEqual({ kind: "usable", args: { ...args, amount: 2 } });
  for (const text of ["", "two", "1e999", "5000"]) {
    const checked = checkEdit(typed(text), args, schema);
    expect(checked).toMatchObject({ kind: "wrong", problems: [expect.stringMatching(/amount/)] });
  }
  const json = { kind: "json", schema: {}, text: "{" } as const;
  expect(() => fromForm(json)).toThrow(NoValue);
});

test("a member that is added starts with the schema's default", () => {
  const form = toForm(schema, args);
  const gift = member(form, "gift");
  expect(checkEdit(change(form, "gift", blankForm(gift?.schema, schema)), args, schema)).toEqual({
    kind: "usable",
    args: { ...args, gift: "none" },
  });
});

test("a schema that goes on for ever makes a form that does not", () => {
  const list: Json = {
    type: "object",
    properties: { next: { anyOf: [{ $ref: "#" }, { type: "null" }] }, more: { $ref: "#" } },
    required: ["next", "more"],
  };
  const form = toForm(list, { next: null, more: { next: null } });
  expect(fromForm(form)).toEqual({ next: null, more: { next: null } });
  expect(JSON.stringify(fromForm(blankForm(list, list))).length).toBeLessThan(1000);
  expect(fromForm(toForm({ anyOf: [{ $ref: "#" }, { type: "null" }] }, {}))).toEqual({});
});

test("a schema that cannot be used refuses the edit; a frozen one is not written to", () => {
  const form: FormNode = { kind: "json", schema: {}, text: "2" };
  expect(checkEdit(form, 1, { $ref: "#/nowhere" }).kind).toBe("wrong");
  const frozen = Object.freeze({ type: "number" });
  expect(checkEdit(form, 1, frozen)).toEqual({ kind: "usable", args: 2 });
  expect(checkEdit(form, 1, null)).toEqual({ kind: "usable", args: 2 });
});
