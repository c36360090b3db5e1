/**
 * Bytes and text: UTF-8, base64url without padding (RFC 4648 §5), hex.
 * Decoders are strict: one text for one byte string, everything else throws a `ValidationError`.
 */
import { ValidationError } from "../errors.ts";
import { builtin } from "./builtin.ts";

// Ten times as fast as what every runtime has; a relay decodes dozens of byte strings for each request.
const node = builtin<typeof import("node:buffer")>("node:buffer");
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

/** @throws ValidationError where the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ValidationError("Not UTF-8 text.", { cause });
  }
}

export function base64url(bytes: Uint8Array): string {
  if (node) return node.Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @throws ValidationError where the text is not the base64url form of some bytes, or not of `length` bytes. */
export function fromBase64url(text: string, length?: number): Bytes {
  const refuse = () =>
    new ValidationError(`Not base64url${length === undefined ? "" : ` of ${length} bytes`}.`);
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw refuse();
  const bytes = node ? Uint8Array.from(node.Buffer.from(text, "base64url")) : decoded(text);
  // Also refuses bits that the last character has too many (RFC 4648 §3.5).
  if (bytes === null || (length !== undefined && bytes.length !== length) || base64url(bytes) !== text) {
    throw refuse();
  }
  return bytes;
}

function decoded(text: string): Bytes | null {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null; // One character too many, which is all that is left to be wrong.
  }
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Compares in time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** `length` bytes from the system's generator. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}
