import { utf8, verifySignature } from "@guard/core";
import { afterEach, expect, it, vi } from "vitest";
import { deviceKeys } from "../keys.ts";
import { createBrowserKeys } from "./keys.ts";
import { inPage } from "./page.fixture.ts";
import { passkeySigner, passkeysAvailable } from "./passkey.ts";

const bytes = utf8("a statement");

inPage("keys of a page", () => {
  afterEach(() => vi.restoreAllMocks());

  it("are Ed25519 and cannot be read out", async () => {
    const { secrets, keys } = await createBrowserKeys();
    expect(keys.signer.key.kind).toBe("ed25519");
    await expect(crypto.subtle.exportKey("pkcs8", secrets.signing as CryptoKey)).rejects.toThrow();
    expect(await verifySignature(keys.signer.key, bytes, await keys.signer.sign(bytes))).toBe(true);
  });

  it("a seed is kept in the place of an encryption key that the browser would lose", async () => {
    const { secrets, keys } = await createBrowserKeys();
    const { encryption } = secrets;
    if (typeof encryption !== "string") return expect(structuredClone(encryption)).toBeInstanceOf(CryptoKey);
    expect((await deviceKeys({ key: keys.signer.key, secrets })).decryption.publicKey).toBe(
      keys.decryption.publicKey,
    );
  });

  it("a browser that keeps all keys gets no seed at all", async () => {
    vi.spyOn(globalThis, "structuredClone").mockImplementation((value) => value);
    const { secrets, keys } = await createBrowserKeys();
    expect((secrets.encryption as CryptoKey).extractable).toBe(false);
    const again = await deviceKeys({ key: keys.signer.key, secrets });
    expect(again.decryption.publicKey).toBe(keys.decryption.publicKey);
  });

  it("a browser that loses Ed25519 keys gets P-256, and one that cannot clone a key keeps none", async () => {
    vi.spyOn(globalThis, "structuredClone").mockImplementation(() => {
      throw new DOMException("no", "DataCloneError");
    });
    const { secrets, keys } = await createBrowserKeys();
    expect(keys.signer.key.kind).toBe("p256");
    expect(typeof secrets.encryption).toBe("string");
    expect(await verifySignature(keys.signer.key, bytes, await keys.signer.sign(bytes))).toBe(true);
  });

  it("a browser without Ed25519 is told so: it could not verify agents", async () => {
    const absent = new DOMException("no", "NotSupportedError");
    vi.spyOn(crypto.subtle, "generateKey").mockRejectedValue(absent);
    await expect(createBrowserKeys()).rejects.toThrow(/no Ed25519/);
  });

  it("only a passkey signs as one, and only where a page can have one", async () => {
    const { keys } = await createBrowserKeys();
    expect(() => passkeySigner(keys.signer.key)).toThrow(/not a passkey/);
    expect(typeof (await passkeysAvailable())).toBe("boolean");
  });
});
