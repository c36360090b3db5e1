/** For tests that run in every runtime: what the platform itself makes of bytes, and another realm of it. */
import { builtin, hasFiles } from "./builtin.ts";

// Newer than the type definitions: Uint8Array's own encodings (ECMAScript 2026), which Node 22 does not have.
type Encoding = Uint8Array & {
  toHex(): string;
  toBase64(options: { alphabet: "base64url"; omitPadding: true }): string;
};
const buffer = typeof Buffer !== "undefined";
// workerd has some of Node's modules too, with stubs in the place of what it leaves out.
const node = hasFiles();

/** node:crypto, in Node itself. */
export const nodeCrypto = node ? builtin<typeof import("node:crypto")>("node:crypto") : undefined;

/** Base64url as the platform writes it. */
export const platformBase64url = (bytes: Uint8Array): string =>
  buffer
    ? Buffer.from(bytes).toString("base64url")
    : (bytes as Encoding).toBase64({ alphabet: "base64url", omitPadding: true });

/** Hex as the platform writes it. */
export const platformHex = (bytes: Uint8Array): string =>
  buffer ? Buffer.from(bytes).toString("hex") : (bytes as Encoding).toHex();

/** The bytes of hex digits. */
export const fromHex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** Evaluates code where `Object`, `Date` and `Error` are others; null where a runtime has one realm only. */
export const otherRealm = ((): ((code: string) => unknown) | null => {
  const vm = node ? builtin<typeof import("node:vm")>("node:vm") : undefined;
  if (vm) return (code) => vm.runInNewContext(code);
  if (typeof document === "undefined") return null;
  const frame = document.body.appendChild(document.createElement("iframe"));
  return (code) => (frame.contentWindow as unknown as { eval(code: string): unknown }).eval(code);
})();
