/**
 * `@guard/core`: what an agent's process needs to stop before an action, ask people, run what was approved
 * once, and prove it. It knows no framework and imports no `node:` module.
 */
export { canonicalJson, type Json, type JsonObject, parseCanonical, pathOf } from "./action/canonical.ts";
export {
  type Cancel,
  type Consume,
  type Receipt,
  type Report,
  readCancel,
  readConsume,
  readReceipt,
  readReport,
} from "./approval/acts.ts";
export {
  expiryGrace,
  type Outcome,
  outcomeOf,
  verifyAnswer,
  verifyAnswers,
  whyNotCounted,
} from "./approval/outcome.ts";
export {
  type Action,
  actionDigest,
  type Envelope,
  type Facts,
  type Header,
  type Paper,
  type Risk,
  readHeader,
  schemaDigest,
} from "./approval/request.ts";
export {
  ciphertextDigest,
  openReply,
  openRequest,
  reopenRequest,
  replyDigest,
  sealReply,
  sealRequest,
  wrapDigest,
} from "./approval/sealing.ts";
export {
  type Answer,
  type Answered,
  type Reply,
  readAnswer,
  readStatement,
  readUnsigned,
  type SealedReply,
  type Statement,
  sealedReplySchema,
  type UnsignedAnswer,
} from "./approval/statement.ts";
export { eligible, type Terms, termsSchema } from "./approval/terms.ts";
export { type AgentKeys, agentKeys } from "./crypto/agent-keys.ts";
export { base64url, fromBase64url, randomBytes, utf8 } from "./crypto/encoding.ts";
export { digestOf, hexDigestOf } from "./crypto/hash.ts";
export { type DecryptionKey, decryptionKey } from "./crypto/hpke.ts";
export { type KemProvider, kemProvider } from "./crypto/kem.ts";
export {
  type Assertion,
  cryptoKeySigner,
  ed25519Signer,
  type Signature,
  type Signer,
  type SigningKey,
  signingKeySchema,
  verifySignature,
} from "./crypto/signature.ts";
export {
  digestSchema,
  type Head,
  headSchema,
  idOf,
  type Signed,
  signedSchema,
  signObject,
  verifySigned,
} from "./crypto/signed.ts";
export * from "./errors.ts";
export { type Chain, openChain } from "./evidence/chain.ts";
export { type Checkpoint, parseCheckpoint } from "./evidence/checkpoint.ts";
export { type Envelope as EventEnvelope, type EventType, eventTypes, readLine } from "./evidence/envelope.ts";
export { type Equivocation, findEquivocation, type Use } from "./evidence/equivocation.ts";
export { type FileEvidenceOptions, fileEvidence } from "./evidence/file.ts";
export { readEvidence } from "./evidence/lines.ts";
export { type EvidenceStore, type MemoryEvidence, memoryEvidence } from "./evidence/store.ts";
export { type ChainReport, type VerifyOptions, verifyChain } from "./evidence/verify.ts";
export { clockTolerance, unwound } from "./gate/clock.ts";
export type { ForeignAnswer, ForeignQuestion, ForeignRelay } from "./gate/foreign.ts";
export { createGuard, type Guard } from "./gate/guard.ts";
export type { GuardOptions, Ledger } from "./gate/options.ts";
export type { Protect, Protected, ProtectedCall } from "./gate/protect.ts";
export type { MethodOptions, ProtectedObject, ProtectObjectOptions } from "./gate/protect-object.ts";
export type { ProtectOptions, StandardSchema } from "./gate/protected-action.ts";
export { Recent } from "./gate/recent.ts";
export type {
  ActionInput,
  Check,
  CheckOptions,
  DecidedEvent,
  Execute,
  Execution,
  Logger,
  OwnRequest,
  PendingEvent,
  RunOptions,
  ToolSchema,
} from "./gate/types.ts";
export type { WakeUpOptions } from "./gate/wake-ups.ts";
export { createPolicy, type Decision, type Policy } from "./policy/policy.ts";
export type { Comparison, Condition, Operators, Rule } from "./policy/rules.ts";
export * from "./relay/api.ts";
export { type Backoff, isPassing, newBackoff, pauseFor, retryAfterIn } from "./relay/backoff.ts";
export { followChanges } from "./relay/changes.ts";
export { createRelayClient, type RelayClient, type RelayClientOptions } from "./relay/client.ts";
export { type Connection, checkRelayUrl, formatConnection, parseConnection } from "./relay/connection.ts";
export { followRoster, type RosterFollower, type RosterStore } from "./relay/follower.ts";
export { createWatcher, type Watcher } from "./relay/watcher.ts";
export * from "./roster/enrolment.ts";
export {
  type Change,
  type ForeignWire,
  kemKeyLength,
  type RosterEntry,
  readEntry,
  type Target,
} from "./roster/entry.ts";
export {
  type ForeignApp,
  type ForeignDeviceView,
  foreignDevicesSchema,
  readForeignApp,
} from "./roster/foreign.ts";
export { normaliseIdentity, skeleton } from "./roster/identity.ts";
export {
  type AgentSecrets,
  foundApp,
  type Inviting,
  type Owner,
  type OwnerOptions,
  openOwner,
  type Waiting,
} from "./roster/owner.ts";
export {
  type AdminRecord,
  type AgentRecord,
  appOf,
  type DeviceRecord,
  deviceIdOf,
  type ForeignDeviceRecord,
  foreignDeviceIdOf,
  type IdentityRecord,
  possessionText,
  type RelayRecord,
} from "./roster/records.ts";
export { appendEntry, foundRoster, type Roster, readRoster, signEntry } from "./roster/roster.ts";
