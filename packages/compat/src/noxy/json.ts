/**
 * A decision as the JSON text that goes to devices. BigInts are written as numbers with all their digits, and read back
 * as BigInts, as Noxy's Node SDK does it: an amount in wei is not rounded on its way to the person.
 */
import { ValidationError } from "@guard/core";

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
// Newer than the type definitions: https://tc39.es/proposal-json-parse-with-source/
const json = JSON as unknown as {
  rawJSON(text: string): object;
  parse(text: string, reviver: Reviver): unknown;
};

/** @throws ValidationError where JSON cannot say it */
export function encodeDecision(decision: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(decision, (key, value: unknown) => {
      if (typeof value === "bigint") return json.rawJSON(String(value));
      // JSON.stringify would write null, and a person would approve something else than what is meant.
      if (typeof value === "number" && !Number.isFinite(value)) {
        throw new ValidationError(
          `The decision has ${value} at ${JSON.stringify(key)}; JSON has no such number.`,
        );
      }
      return value;
    });
  } catch (cause) {
    if (cause instanceof ValidationError) throw cause;
    throw new ValidationError("The decision is nothing that JSON can say. Send plain objects.", { cause });
  }
  if (text === undefined)
    throw new ValidationError("The decision is empty. Send an object that says what is asked.");
  return new TextEncoder().encode(text);
}

/** @throws ValidationError where the bytes are not JSON in UTF-8 */
export function decodeDecision(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return json.parse(text, (_key, value, { source }) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
        ? BigInt(source as string)
        : value,
    );
  } catch (cause) {
    throw new ValidationError("The decision is not JSON in UTF-8.", { cause });
  }
}
