/** Byte strings at the edge: base64url of one exact length, as zod sees it. */
import * as z from "zod/mini";
import { isGuardError } from "../errors.ts";
import { fromBase64url } from "./encoding.ts";

/** Whether `text` is the base64url form of exactly `length` bytes. */
export function isBytes(text: string, length: number): boolean {
  try {
    fromBase64url(text, length);
    return true;
  } catch (error) {
    if (isGuardError(error, "validation")) return false;
    throw error;
  }
}

/** base64url of exactly `length` bytes. */
export const bytesSchema = (length: number) =>
  z.string().check(z.refine((text) => isBytes(text, length), `base64url of ${length} bytes`));
