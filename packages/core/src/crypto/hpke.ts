/**
 * HPKE base mode (RFC 9180 §5.1.1) with Guard's one suite: MLKEM768-X25519, HKDF-SHA256, AES-256-GCM.
 *
 * Guarantees: what cannot be opened is a `VerificationError`, whatever was wrong with it (bit flips,
 * truncation, a low-order point, the wrong key, info or AAD); nothing is ever opened to a default.
 */
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, type Key } from "hpke";
import { VerificationError } from "../errors.ts";
import { type Bytes, base64url, utf8 } from "./encoding.ts";
import { type KemProvider, loadKem, nativePublicKey } from "./kem.ts";
import type { Kem } from "./xwing.ts";

/** What HPKE makes of a plaintext; both members are raw bytes. */
export interface Sealed {
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
}

/** The private half of an encryption key. `publicKey` is base64url of 1216 bytes. */
export interface DecryptionKey {
  readonly publicKey: string;
  open(sealed: { enc: Uint8Array; ciphertext: Uint8Array }, info: string, aad: Uint8Array): Promise<Bytes>;
}

type Suite = { readonly hpke: CipherSuite; readonly kem: Kem };
const suites = new Map<KemProvider | "best", Promise<Suite>>();

function suite(provider?: KemProvider): Promise<Suite> {
  const id = provider ?? "best";
  let made = suites.get(id);
  if (!made) {
    made = loadKem(provider).then((kem) => ({
      kem,
      hpke: new CipherSuite(kem.factory, KDF_HKDF_SHA256, AEAD_AES_256_GCM),
    }));
    suites.set(id, made);
  }
  return made;
}

/**
 * Seals to a public key (1216 bytes). `provider` is for tests that compare providers.
 * @throws VerificationError where the key is none: a roster names it, so somebody enrolled garbage.
 */
export async function hpkeSeal(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  options: { info: string; aad: Uint8Array; provider?: KemProvider },
): Promise<Sealed> {
  const { hpke } = await suite(options.provider);
  const parameters = { info: utf8(options.info), aad: options.aad };
  try {
    const key = await recipient(hpke, publicKey, options.provider);
    const { encapsulatedSecret, ciphertext } = await hpke.Seal(key, plaintext, parameters);
    return { enc: Uint8Array.from(encapsulatedSecret), ciphertext: Uint8Array.from(ciphertext) };
  } catch (cause) {
    throw new VerificationError(
      "Nothing can be sealed to an encryption key that the roster names. Revoke its device and enrol it again.",
      { cause },
    );
  }
}

// An agent seals to the same few devices again and again; parsing a key costs as much as sealing to it.
const recipients = new Map<string, Promise<Key>>();

function recipient(hpke: CipherSuite, publicKey: Uint8Array, provider?: KemProvider): Promise<Key> {
  const id = `${provider ?? "best"}:${base64url(publicKey)}`;
  let key = recipients.get(id);
  if (!key) {
    if (recipients.size >= 200) recipients.clear();
    key = hpke.DeserializePublicKey(Uint8Array.from(publicKey));
    recipients.set(id, key);
    key.catch(() => recipients.delete(id));
  }
  return key;
}

/** The decryption key of a 32-byte seed, or of WebCrypto's private key, which may be non-extractable. */
export async function decryptionKey(
  secret: Uint8Array | CryptoKey,
  provider?: KemProvider,
): Promise<DecryptionKey> {
  const bytes = secret instanceof Uint8Array;
  const { hpke, kem } = await suite(bytes ? provider : "webcrypto");
  const privateKey = bytes ? await hpke.DeserializePrivateKey(Uint8Array.from(secret), true) : secret;
  const publicKey = bytes ? await kem.publicKeyOf(secret) : await nativePublicKey(secret);
  const publicHalf = await hpke.DeserializePublicKey(publicKey);
  return {
    publicKey: base64url(publicKey),
    async open(sealed, info, aad) {
      try {
        const pair = { privateKey, publicKey: publicHalf };
        return Uint8Array.from(
          await hpke.Open(pair, sealed.enc, sealed.ciphertext, { info: utf8(info), aad }),
        );
      } catch (cause) {
        throw new VerificationError(
          "A sealed message cannot be opened: it was changed, or sealed to another key.",
          {
            cause,
          },
        );
      }
    },
  };
}
