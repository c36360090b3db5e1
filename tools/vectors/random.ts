/**
 * Randomness for vectors: every run of the generator draws the same bytes, so that the files can be compared.
 * It replaces the process's generator and hides node:crypto's KEM (which takes its randomness from OpenSSL),
 * so that HPKE uses the fallback, which asks `crypto.getRandomValues`. Never import this into anything else.
 */
import { createHash } from "node:crypto";
import { base64url } from "../../packages/core/src/index.ts";

const sha256 = (text: string) => Uint8Array.from(createHash("sha256").update(text).digest());

/** 32 bytes that belong to `label`, for ever: SHA-256 of "guard vectors: " and the label. */
export const seed = (label: string) => sha256(`guard vectors: ${label}`);
/** {@link seed} as base64url. */
export const word = (label: string) => base64url(seed(label));

let stream = "start";
let block = 0;

/** From here on the same bytes are drawn as after every other call with this label. */
export function restart(label: string): void {
  stream = label;
  block = 0;
}

export function replaceRandomness(): void {
  const { getBuiltinModule } = process;
  Object.defineProperty(process, "getBuiltinModule", {
    value: (id: string) =>
      id === "node:crypto" ? { ...getBuiltinModule(id), encapsulate: undefined } : getBuiltinModule(id),
  });
  Object.defineProperty(crypto, "getRandomValues", {
    value: <T extends ArrayBufferView>(view: T): T => {
      const out = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      for (let i = 0; i < out.length; i += 32)
        out.set(sha256(`guard vectors: random ${stream} ${block++}`).subarray(0, out.length - i), i);
      return view;
    },
  });
}
