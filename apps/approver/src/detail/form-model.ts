/**
 * Arguments as a form, made from the tool's JSON Schema, and back. What the schema does not describe in words
 * that a form has fields for is edited as JSON.
 *
 * Guarantees: a form that nobody touched gives exactly the arguments that it was made from, whatever the schema
 * says; what a form does not show stays as it was. Whether the result fits the schema is for `check-edit.ts`.
 */
import { canonicalJson, type Json } from "@guard/core";

export type Schema = { readonly [key: string]: Json };

interface Common {
  readonly schema: Schema;
}
export type FormNode = Common &
  (
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "number"; readonly text: string }
    | { readonly kind: "boolean"; readonly value: boolean }
    | { readonly kind: "choice"; readonly options: readonly Json[]; readonly chosen: number }
    /** A value that may be null, and then has no `node` yet: a schema may go on for ever. */
    | {
        readonly kind: "nullable";
        readonly isNull: boolean;
        readonly inner: Schema;
        readonly node: FormNode | null;
      }
    | { readonly kind: "object"; readonly members: readonly FormMember[] }
    | { readonly kind: "list"; readonly entries: readonly FormNode[] }
    | { readonly kind: "json"; readonly text: string }
  );
export interface FormMember {
  readonly name: string;
  readonly required: boolean;
  readonly present: boolean;
  readonly schema: Json | undefined;
  /** Null until the member is there. */
  readonly node: FormNode | null;
}

/** What a person typed that is no value. */
export class NoValue extends Error {
  override readonly name = "NoValue";
}

const isObject = (value: Json | undefined): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const own = (object: Schema, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** Follows `$ref` within the document; gives up on what goes on for ever. */
function resolve(schema: Json | undefined, root: Json): Schema {
  let at: Json | undefined = schema;
  for (let hops = 0; hops < 20; hops++) {
    if (!isObject(at)) return {};
    const ref = own(at, "$ref");
    if (typeof ref !== "string") return at;
    if (!ref.startsWith("#")) return {};
    let found: Json | undefined = root;
    for (const name of ref.slice(1).split("/").slice(1)) {
      found = isObject(found) ? own(found, name.replaceAll("~1", "/").replaceAll("~0", "~")) : undefined;
    }
    at = found;
  }
  return {};
}

/** The schema without null, where it is one that allows null beside one other thing. */
function withoutNull(schema: Schema, root: Json): Schema | null {
  const type = own(schema, "type");
  if (Array.isArray(type) && type.includes("null") && type.length === 2) {
    return { ...schema, type: type.find((one) => one !== "null") as Json };
  }
  const any = own(schema, "anyOf") ?? own(schema, "oneOf");
  if (!Array.isArray(any) || any.length !== 2) return null;
  const [a, b] = any.map((one) => resolve(one as Json, root)) as [Schema, Schema];
  const other = own(a, "type") === "null" ? b : own(b, "type") === "null" ? a : null;
  return (
    other && { ...other, ...(schema.description === undefined ? {} : { description: schema.description }) }
  );
}

const asJson = (value: Json, schema: Schema): FormNode => ({
  kind: "json",
  schema,
  text: JSON.stringify(value, null, 2),
});

/** The form for `value`. */
export function toForm(given: Json | undefined, value: Json, root: Json = given ?? null): FormNode {
  const schema = resolve(given, root);
  const options = own(schema, "enum");
  if (Array.isArray(options)) {
    const texts = (options as readonly Json[]).map(canonicalJson);
    const chosen = texts.indexOf(canonicalJson(value));
    if (chosen >= 0) return { kind: "choice", schema, options, chosen };
  }
  const inner = withoutNull(schema, root);
  // One null at a time: a schema may say "this or null" of itself.
  if (inner && !withoutNull(inner, root)) {
    const isNull = value === null;
    return { kind: "nullable", schema, isNull, inner, node: isNull ? null : toForm(inner, value, root) };
  }
  const type = own(schema, "type") ?? (isObject(own(schema, "properties")) ? "object" : undefined);
  if (typeof value === "string" && type === "string") return { kind: "text", schema, text: value };
  if (typeof value === "number" && (type === "number" || type === "integer")) {
    return { kind: "number", schema, text: String(value) };
  }
  if (typeof value === "boolean" && type === "boolean") return { kind: "boolean", schema, value };
  if (type === "object" && isObject(value)) return objectForm(schema, value, root);
  if (type === "array" && Array.isArray(value) && isObject(own(schema, "items"))) {
    const entries = (value as readonly Json[]).map((entry) => toForm(own(schema, "items"), entry, root));
    return { kind: "list", schema, entries };
  }
  return asJson(value, schema);
}

function objectForm(schema: Schema, value: Schema, root: Json): FormNode {
  const properties = own(schema, "properties");
  const described = isObject(properties) ? properties : {};
  const listed = own(schema, "required");
  const required = Array.isArray(listed) ? listed : [];
  // Members that are there come first, in their order; then those that could be added.
  const absent = Object.keys(described).filter((name) => !Object.hasOwn(value, name));
  const members = [...Object.keys(value), ...absent].map((name): FormMember => {
    const present = Object.hasOwn(value, name);
    const below = own(described, name);
    return {
      name,
      present,
      required: required.includes(name),
      schema: below,
      node: present ? toForm(below, value[name] as Json, root) : null,
    };
  });
  return { kind: "object", schema, members };
}

/** The form for a value that is added. */
export const blankForm = (schema: Json | undefined, root: Json): FormNode =>
  toForm(schema, blank(schema, root), root);

/** What stands in a field that is added: the schema's default, else the emptiest value of its type. */
function blank(given: Json | undefined, root: Json, depth = 0): Json {
  const schema = resolve(given, root);
  const preset = own(schema, "default");
  if (preset !== undefined) return preset;
  const options = own(schema, "enum");
  if (Array.isArray(options) && options.length > 0) return options[0] as Json;
  const type = own(schema, "type");
  switch (Array.isArray(type) ? type[0] : type) {
    case "string":
      return "";
    case "number":
    case "integer":
      return 0;
    case "boolean":
      return false;
    case "array":
      return [];
    case "object":
      return blankObject(schema, root, depth);
    default:
      return null;
  }
}

function blankObject(schema: Schema, root: Json, depth: number): Json {
  const [properties, required] = [own(schema, "properties"), own(schema, "required")];
  // A schema may require itself without end.
  if (depth > 5 || !isObject(properties) || !Array.isArray(required)) return {};
  const names = (required as readonly Json[]).filter((name) => typeof name === "string");
  return Object.fromEntries(names.map((name) => [name, blank(own(properties, name), root, depth + 1)]));
}

/** The arguments that a form stands for. @throws NoValue, with a sentence about where */
export function fromForm(form: FormNode, where = "The value"): Json {
  switch (form.kind) {
    case "text":
      return form.text;
    case "number": {
      const number = Number(form.text);
      if (form.text.trim() === "" || !Number.isFinite(number))
        throw new NoValue(`${where} has to be a number.`);
      return number;
    }
    case "boolean":
      return form.value;
    case "choice":
      return form.options[form.chosen] as Json;
    case "nullable":
      return form.isNull || !form.node ? null : fromForm(form.node, where);
    case "object":
      return Object.fromEntries(
        form.members.flatMap(({ name, node, present }) =>
          present && node ? [[name, fromForm(node, JSON.stringify(name))]] : [],
        ),
      );
    case "list":
      return form.entries.map((entry, i) => fromForm(entry, `${where}, entry ${i + 1},`));
    case "json":
      try {
        return JSON.parse(form.text) as Json;
      } catch (cause) {
        throw new NoValue(`${where} has to be JSON: ${(cause as SyntaxError).message}.`, { cause });
      }
  }
}
