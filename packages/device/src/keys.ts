/**
 * A device's keys: one to sign statements, one to open requests. What is kept of each is a 32-byte seed, or a
 * WebCrypto key that never leaves its browser; of a passkey nothing is kept, its authenticator has it.
 */
import {
  base64url,
  ConfigurationError,
  cryptoKeySigner,
  type DecryptionKey,
  decryptionKey,
  ed25519Signer,
  fromBase64url,
  randomBytes,
  type Signer,
  type SigningKey,
} from "@guard/core";

export interface DeviceKeys {
  readonly signer: Signer;
  readonly decryption: DecryptionKey;
}

/** What is kept of a device's keys. A text is a seed: base64url of 32 bytes, and secret. */
export interface DeviceSecrets {
  /** Seed of the Ed25519 key, or the private key; null where the signer is kept elsewhere (a passkey). */
  readonly signing: string | CryptoKey | null;
  /** Seed of the HPKE key, or the private key. */
  readonly encryption: string | CryptoKey;
}

/** New keys, and what to keep of them. */
export interface MadeKeys {
  readonly secrets: DeviceSecrets;
  readonly keys: DeviceKeys;
}

/** New software keys: two seeds. */
export async function createDeviceKeys(): Promise<MadeKeys> {
  const [signing, encryption] = [randomBytes(32), randomBytes(32)];
  return {
    secrets: { signing: base64url(signing), encryption: base64url(encryption) },
    keys: { signer: await ed25519Signer(signing), decryption: await decryptionKey(encryption) },
  };
}

/** The keys of a profile. @throws ConfigurationError where they need a signer and none is given. */
export async function deviceKeys(
  profile: { readonly key: SigningKey; readonly secrets: DeviceSecrets },
  options: { signer?: Signer | undefined } = {},
): Promise<DeviceKeys> {
  const { key, secrets } = profile;
  const { signing, encryption } = secrets;
  const decryption = await decryptionKey(
    typeof encryption === "string" ? fromBase64url(encryption, 32) : encryption,
  );
  if (typeof signing === "string") {
    return { signer: await ed25519Signer(fromBase64url(signing, 32)), decryption };
  }
  if (signing !== null) {
    if (key.kind === "webauthn") {
      throw new ConfigurationError("The device's profile is damaged. Forget the device and enrol it again.");
    }
    return { signer: cryptoKeySigner(key, signing), decryption };
  }
  if (!options.signer) {
    throw new ConfigurationError("This device signs with a key that is kept elsewhere. Pass it as signer.");
  }
  return { signer: options.signer, decryption };
}
