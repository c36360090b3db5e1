/**
 * Passkeys (WebAuthn Level 3) as signing keys: every signature is a ceremony of its own, with user verification,
 * whose challenge is the SHA-256 of what is signed. Agents verify it offline.
 */
import {
  type Assertion,
  base64url,
  CancelledError,
  ConfigurationError,
  fromBase64url,
  randomBytes,
  type Signer,
  type SigningKey,
} from "@guard/core";
import {
  browserSupportsPasskeys,
  startAuthentication,
  startRegistration,
  WebAuthnError,
} from "@simplewebauthn/browser";
import type { DeviceProfile } from "../profile.ts";

type PasskeyKey = SigningKey & { readonly kind: "webauthn" };

/** How COSE calls the two algorithms that agents verify, and how WebCrypto does. */
const algorithms = [
  { cose: -7, alg: "ES256", name: { name: "ECDSA", namedCurve: "P-256" } },
  { cose: -8, alg: "EdDSA", name: { name: "Ed25519" } },
] as const;

/** Whether this page can make a passkey. An address of digits has none: WebAuthn wants a domain. */
export async function passkeysAvailable(): Promise<boolean> {
  if (!globalThis.isSecureContext || /^[\d.]+$|^\[/.test(location.hostname)) return false;
  return browserSupportsPasskeys();
}

/** Makes a passkey for one device of `identity`. @throws CancelledError where the person closed the prompt. */
export async function createPasskey(options: { identity: string; name: string }): Promise<PasskeyKey> {
  const { identity, name } = options;
  const rpId = location.hostname;
  const { id, response } = await ceremony(() =>
    startRegistration({
      optionsJSON: {
        rp: { id: rpId, name: "Guard" },
        // An id of its own each time: a second passkey of one id replaces the first, which another device here may use.
        user: { id: base64url(randomBytes(32)), name: identity, displayName: `${identity} (${name})` },
        // What comes back is not signed for us, so there is nothing that a chosen challenge would prove.
        challenge: base64url(randomBytes(32)),
        pubKeyCredParams: algorithms.map(({ cose }) => ({ type: "public-key", alg: cose })),
        authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
        attestation: "none",
      },
    }),
  );
  const algorithm = algorithms.find(({ cose }) => cose === response.publicKeyAlgorithm);
  if (!algorithm || !response.publicKey) {
    throw new ConfigurationError(
      "This authenticator gave no key that agents can verify. Enrol without a passkey.",
    );
  }
  const spki = fromBase64url(response.publicKey);
  const publicKey = await crypto.subtle.importKey("spki", spki, algorithm.name, true, ["verify"]);
  return {
    kind: "webauthn",
    alg: algorithm.alg,
    publicKey: base64url(new Uint8Array(await crypto.subtle.exportKey("raw", publicKey))),
    credentialId: id,
    rpId,
    origins: [location.origin],
  };
}

/** Signs with a passkey of this page: the person is asked for each signature. */
export function passkeySigner(key: SigningKey): Signer {
  if (key.kind !== "webauthn") throw new ConfigurationError("This device's key is not a passkey.");
  return {
    key,
    async sign(bytes): Promise<Assertion> {
      const challenge = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
      const { response } = await ceremony(() =>
        startAuthentication({
          optionsJSON: {
            challenge: base64url(challenge),
            rpId: key.rpId,
            allowCredentials: [{ type: "public-key", id: key.credentialId }],
            userVerification: "required",
          },
        }),
      );
      const { authenticatorData, clientDataJSON, signature } = response;
      return { authenticatorData, clientDataJSON, signature };
    },
  };
}

/** What `openDevice` needs as `signer`: the passkey's where the profile has one. */
export function signerOf(profile: DeviceProfile): Signer | undefined {
  return profile.secrets.signing === null ? passkeySigner(profile.key) : undefined;
}

async function ceremony<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    // SimpleWebAuthn wraps what the browser threw; NotAllowedError stands for a closed prompt and for a timeout.
    const reason = cause instanceof WebAuthnError ? cause.cause : cause;
    const name = reason instanceof DOMException ? reason.name : "";
    if (name === "NotAllowedError" || name === "AbortError") {
      throw new CancelledError(
        "The passkey's prompt was closed or timed out. Nothing was signed. Try again.",
        {
          cause,
        },
      );
    }
    throw new ConfigurationError(
      "The passkey cannot be used here. If that stays so, forget this device and enrol it again.",
      { cause },
    );
  }
}
