/**
 * Sealing papers and replies, and opening them. The paper is encrypted once under a content key; that key is
 * wrapped for each device by HPKE. AADs bind every ciphertext to its app, request and device, so that none
 * can be moved (cross-request-splice), and padding hides the length.
 */
import { canonicalJson } from "../action/canonical.ts";
import { aesGcmOpen, aesGcmSeal, singleUseNonce } from "../crypto/aead.ts";
import type { AgentKeys } from "../crypto/agent-keys.ts";
import { type Bytes, base64url, fromBase64url, fromUtf8, utf8 } from "../crypto/encoding.ts";
import { digestOf, sha256 } from "../crypto/hash.ts";
import { type DecryptionKey, hpkeSeal } from "../crypto/hpke.ts";
import { type Signed, signObject } from "../crypto/signed.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import { actionDigest, disagreement, type Envelope, type Header, type Paper, readPaper } from "./request.ts";
import { type Reply, readReply, type SealedReply } from "./statement.ts";

const requestInfo = "guard/v1/request";
const replyInfo = "guard/v1/reply";
const smallestPadding = 512;

/** Length (4 bytes, big-endian), the bytes, zeros up to the next power of two from 512. */
function pad(bytes: Uint8Array): Bytes {
  let size = smallestPadding;
  while (size < bytes.length + 4) size *= 2;
  const padded = new Uint8Array(size);
  new DataView(padded.buffer).setUint32(0, bytes.length);
  padded.set(bytes, 4);
  return padded;
}

function unpad(padded: Uint8Array): Uint8Array {
  const length = padded.length < 4 ? -1 : new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  const bytes = padded.subarray(4, 4 + length);
  const canonical = length >= 0 && length <= padded.length - 4 && pad(bytes).length === padded.length;
  if (!canonical || padded.subarray(4 + length).some((byte) => byte !== 0)) {
    throw new VerificationError("A sealed message is padded wrongly.");
  }
  return bytes;
}

const contentAad = (header: Pick<Header, "app" | "request" | "expiresAt">) =>
  utf8(canonicalJson({ app: header.app, request: header.request, expiresAt: header.expiresAt }));
const wrapAad = (app: string, request: string, device: string, ciphertextHash: string) =>
  utf8(canonicalJson({ app, request, device, ciphertextHash }));
const replyAad = (app: string, request: string, device: string) =>
  utf8(canonicalJson({ app, request, device }));

/** What came over the wire and cannot even be read was changed on its way: the same error as for any change. */
async function received<T>(what: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!isGuardError(cause, "validation")) throw cause;
    throw new VerificationError(`${what} is malformed: it was changed on its way.`, { cause });
  }
}

/** Digest of a sealed reply, which the statement signs. */
export function replyDigest(reply: SealedReply): string {
  return digestOf(canonicalJson({ enc: reply.enc, ciphertext: reply.ciphertext }));
}

/** Digest of one wrap, which the header signs. */
export function wrapDigest(wrap: { enc: string; ciphertext: string }): string {
  return digestOf(canonicalJson({ enc: wrap.enc, ciphertext: wrap.ciphertext }));
}

/** Digest of the ciphertext bytes, which the header signs. */
export function ciphertextDigest(ciphertext: string): string {
  return base64url(sha256(fromBase64url(ciphertext)));
}

/** Seals a paper to devices, in parallel, and signs its header. */
export async function sealRequest(options: {
  keys: AgentKeys;
  paper: Paper;
  app: string;
  agent: string;
  keyId: string;
  devices: readonly { device: string; encryptionKey: string }[];
}): Promise<{ header: Signed; envelope: Envelope; requestDigest: string }> {
  const { keys, paper, app, agent, keyId } = options;
  const request = keys.requestId(keyId, paper.round);
  const text = canonicalJson(paper);
  const contentKey = keys.contentKey(paper.nonce);
  const aad = contentAad({ app, request, expiresAt: paper.expiresAt });
  const sealed = await aesGcmSeal(contentKey, singleUseNonce, pad(utf8(text)), aad);
  const ciphertext = base64url(sealed);
  const ciphertextHash = base64url(sha256(sealed));
  const wraps = await Promise.all(
    options.devices.map(async ({ device, encryptionKey }) => {
      const wrapped = await hpkeSeal(fromBase64url(encryptionKey), contentKey, {
        info: requestInfo,
        aad: wrapAad(app, request, device, ciphertextHash),
      });
      return { device, enc: base64url(wrapped.enc), ciphertext: base64url(wrapped.ciphertext) };
    }),
  );
  const requestDigest = digestOf(text);
  const header: Header = {
    type: "guard/v1/request",
    app,
    agent,
    keyId,
    round: paper.round,
    request,
    nonce: paper.nonce,
    requestDigest,
    actionDigest: actionDigest(app, agent, paper.action, paper.salt),
    terms: paper.terms,
    createdAt: paper.createdAt,
    expiresAt: paper.expiresAt,
    useBy: paper.useBy,
    ciphertextHash,
    recipients: wraps.map((wrap) => ({ device: wrap.device, wrapHash: wrapDigest(wrap) })),
  };
  return { header: await signObject(keys.signer, header), envelope: { ciphertext, wraps }, requestDigest };
}

/** Opens an agent's own request, as after a restart. @throws VerificationError */
export async function reopenRequest(keys: AgentKeys, header: Header, ciphertext: string): Promise<Paper> {
  return received("A request", () => openPaper(keys.contentKey(header.nonce), header, ciphertext));
}

/** Opens a request on a device. @throws VerificationError */
export async function openRequest(options: {
  decryption: DecryptionKey;
  device: string;
  header: Header;
  ciphertext: string;
  wrap: { enc: string; ciphertext: string };
}): Promise<Paper> {
  const { header, device, wrap } = options;
  return received("A request", async () => {
    const recipient = header.recipients.find((entry) => entry.device === device);
    if (recipient?.wrapHash !== wrapDigest(wrap)) {
      throw new VerificationError("The request was not sealed to this device by its agent.");
    }
    const aad = wrapAad(header.app, header.request, device, header.ciphertextHash);
    const sealed = { enc: fromBase64url(wrap.enc), ciphertext: fromBase64url(wrap.ciphertext) };
    return openPaper(await options.decryption.open(sealed, requestInfo, aad), header, options.ciphertext);
  });
}

async function openPaper(contentKey: Uint8Array, header: Header, ciphertext: string): Promise<Paper> {
  const sealed = fromBase64url(ciphertext);
  if (base64url(sha256(sealed)) !== header.ciphertextHash) {
    throw new VerificationError("The request's ciphertext is not the one that its agent signed.");
  }
  let padded: Bytes;
  try {
    padded = await aesGcmOpen(contentKey, singleUseNonce, sealed, contentAad(header));
  } catch (cause) {
    throw new VerificationError("The request cannot be opened: it was changed on its way.", { cause });
  }
  const text = fromUtf8(unpad(padded));
  const paper = readPaper(text);
  const difference = disagreement(paper, text, header);
  if (difference !== null) {
    throw new VerificationError(`The request's paper and its signed header disagree about ${difference}.`);
  }
  return paper;
}

/** Seals what an approver adds to the agent. */
export async function sealReply(options: {
  reply: Reply;
  app: string;
  device: string;
  agentEncryptionKey: string;
}): Promise<SealedReply> {
  const { reply, app, device } = options;
  const sealed = await hpkeSeal(fromBase64url(options.agentEncryptionKey), pad(utf8(canonicalJson(reply))), {
    info: replyInfo,
    aad: replyAad(app, reply.request, device),
  });
  return { enc: base64url(sealed.enc), ciphertext: base64url(sealed.ciphertext) };
}

/**
 * Opens a reply that `statement` signed for. @throws VerificationError where it is another one
 * (reason-injection), was changed, or was sealed for another request or device.
 */
export async function openReply(options: {
  decryption: DecryptionKey;
  statement: { app: string; request: string; device: string; response: string | null };
  reply: SealedReply;
}): Promise<Reply> {
  const { statement, reply } = options;
  return received("A reply", async () => {
    if (statement.response !== replyDigest(reply)) {
      throw new VerificationError("A reply is not the one that its approver signed.");
    }
    const sealed = { enc: fromBase64url(reply.enc), ciphertext: fromBase64url(reply.ciphertext) };
    const aad = replyAad(statement.app, statement.request, statement.device);
    const opened = readReply(fromUtf8(unpad(await options.decryption.open(sealed, replyInfo, aad))));
    if (opened.request !== statement.request) throw new VerificationError("A reply is for another request.");
    return opened;
  });
}
