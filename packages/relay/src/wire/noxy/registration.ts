/** What a device says of itself, as the domain reads it. Sizes are those of the keys (Ed25519, FIPS 203 table 3). */
import { kemKeyLength } from "@guard/core";
import { device as wire } from "@guard/wires/noxy";
import type { DeviceKeys, IdentityType, Registration } from "../../domain/foreign-devices.ts";
import { DeviceRefusal } from "./codes.ts";

const publicKeyLength = 32;
const macLength = 32;

const identityTypes: Readonly<Record<number, IdentityType>> = {
  [wire.IdentityType.WALLET]: "wallet",
  [wire.IdentityType.EMAIL]: "email",
  [wire.IdentityType.PHONE]: "phone",
  [wire.IdentityType.USER_ID]: "user_id",
};

export function keysOf(keys: wire.DevicePublicKeys | undefined): DeviceKeys {
  const { publicKey, pqPublicKey: kemKey } = keys ?? {
    publicKey: new Uint8Array(),
    pqPublicKey: new Uint8Array(),
  };
  if (publicKey.length !== publicKeyLength || kemKey.length !== kemKeyLength) {
    invalid(
      `A device has a public key of ${publicKeyLength} bytes and an ML-KEM-768 key of ${kemKeyLength}; these have ${publicKey.length} and ${kemKey.length}.`,
    );
  }
  return { publicKey, kemKey };
}

export function registrationOf(asked: wire.RegisterDevice): Registration {
  const identityType = identityTypes[asked.identityType];
  if (identityType === undefined) return invalid(`There is no identity type ${asked.identityType}.`);
  // That client's receipts of delivery have the number that answers have now, and could read as approvals.
  if (asked.type === "android" && asked.identityId === "") {
    return invalid(
      "This is the older wire of the Android SDK 1.0, which this relay does not speak. Use a newer client.",
    );
  }
  // Some clients have a field of its own for wallets, and some do not.
  const identity = (identityType === "wallet" && asked.walletAddress) || asked.identityId;
  if (identity === "") return invalid("A registration names the identity: identity_id, or wallet_address.");
  // Wallets sign what this relay cannot check (65 bytes); only a MAC counts.
  const mac = [asked.deviceSignature, asked.signature].find(({ length }) => length === macLength) ?? null;
  return { ...keysOf(asked.devicePubkeys), identity, identityType, type: asked.type, mac };
}

export function invalid(message: string): never {
  throw new DeviceRefusal(wire.ErrorCode.INVALID_REQUEST, message);
}
