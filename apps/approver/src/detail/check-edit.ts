/**
 * Whether edited arguments can be sent. The tool itself checks them again where they run; this only spares the
 * person an approval that would come to nothing.
 */
import { type Schema as JsonSchema, type SchemaDraft, Validator } from "@cfworker/json-schema";
import { canonicalJson, isGuardError, type Json } from "@guard/core";
import { type FormNode, fromForm, NoValue } from "./form-model.ts";

export type CheckedEdit =
  | { readonly kind: "usable"; readonly args: Json }
  | { readonly kind: "unchanged" }
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

const drafts: readonly [RegExp, SchemaDraft][] = [
  [/draft-04/, "4"],
  [/draft-0[67]/, "7"],
  [/2019-09/, "2019-09"],
];

function draftOf(schema: Json): SchemaDraft {
  const named = typeof schema === "object" && schema !== null && "$schema" in schema ? schema.$schema : null;
  return drafts.find(([pattern]) => typeof named === "string" && pattern.test(named))?.[1] ?? "2020-12";
}

/** What is wrong with `args` by the tool's schema, in sentences; empty where nothing is, or there is no schema. */
function problemsOf(args: Json, schema: Json): readonly string[] {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return [];
  // The validator writes into the schema, and what a device opened is frozen.
  const copy = structuredClone(schema) as JsonSchema;
  const { valid, errors } = new Validator(copy, draftOf(schema), false).validate(args);
  if (valid) return [];
  // Errors of what holds others ("does not match schema") only repeat those within.
  const holders = new Set(["properties", "items", "prefixItems", "additionalProperties", "$ref", "allOf"]);
  const inner = errors.filter(({ keyword }) => !holders.has(keyword));
  return (inner.length > 0 ? inner : errors).map(
    ({ instanceLocation, error }) =>
      `${instanceLocation === "#" ? "The arguments" : instanceLocation.slice(2)}: ${error}`,
  );
}

export function checkEdit(form: FormNode, before: Json, schema: Json): CheckedEdit {
  try {
    const args = fromForm(form, "The arguments");
    if (canonicalJson(args) === canonicalJson(before)) return { kind: "unchanged" };
    const problems = problemsOf(args, schema);
    return problems.length > 0 ? { kind: "wrong", problems } : { kind: "usable", args };
  } catch (error) {
    if (error instanceof NoValue || isGuardError(error, "validation")) {
      return { kind: "wrong", problems: [error.message] };
    }
    // A schema that the validator cannot read: an unknown $ref, a broken pattern.
    return {
      kind: "wrong",
      problems: [
        `The tool's schema cannot be used here (${String(error)}). Reject the request and say what should change.`,
      ],
    };
  }
}
