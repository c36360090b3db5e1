/**
 * A device's keys: one to sign statements, one to open requests. Software keys are two 32-byte seeds; a
 * browser may bring a passkey or a non-extractable WebCrypto key as `signer` instead of the first.
 */
import {
  base64url,
  ConfigurationError,
  type DecryptionKey,
  decryptionKey,
  ed25519Signer,
  fromBase64url,
  randomBytes,
  type Signer,
} from "@guard/core";

export interface DeviceKeys {
  readonly signer: Signer;
  readonly decryption: DecryptionKey;
}

/** What is kept of a device's keys; both members are base64url of 32 bytes and secret. */
export interface DeviceSecrets {
  /** Seed of the Ed25519 key; null where the signer is kept elsewhere (a passkey, a WebCrypto key). */
  readonly signing: string | null;
  /** Seed of the HPKE key. */
  readonly encryption: string;
}

/** New keys. With `signer`, only the encryption key is made. */
export async function createDeviceKeys(
  options: { signer?: Signer } = {},
): Promise<{ secrets: DeviceSecrets; keys: DeviceKeys }> {
  const secrets: DeviceSecrets = {
    signing: options.signer ? null : base64url(randomBytes(32)),
    encryption: base64url(randomBytes(32)),
  };
  return { secrets, keys: await deviceKeys(secrets, options) };
}

/** The keys of kept secrets. @throws ConfigurationError where they need a signer and none is given. */
export async function deviceKeys(
  secrets: DeviceSecrets,
  options: { signer?: Signer | undefined } = {},
): Promise<DeviceKeys> {
  const decryption = await decryptionKey(fromBase64url(secrets.encryption, 32));
  if (secrets.signing !== null) {
    return { signer: await ed25519Signer(fromBase64url(secrets.signing, 32)), decryption };
  }
  if (!options.signer) {
    throw new ConfigurationError("This device signs with a key that is kept elsewhere. Pass it as signer.");
  }
  return { signer: options.signer, decryption };
}
