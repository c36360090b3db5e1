/** Vectors of sealed replies, with the agent's private key. */
import { hpkeSeal } from "../../packages/core/src/crypto/hpke.ts";
import {
  base64url,
  canonicalJson,
  fromBase64url,
  type Reply,
  replyDigest,
  type SealedReply,
  sealReply,
  utf8,
} from "../../packages/core/src/index.ts";
import { restart, seed, word } from "./random.ts";
import { flipped, pad } from "./sealing.ts";
import type { VectorFile, World } from "./world.ts";

export async function sealedReplies(w: World): Promise<VectorFile> {
  const { alice, bob } = w.people;
  const id = w.agent.requestId(w.agent.keyId(w.app, "plain"), 0);
  const encryptionKey = w.agent.decryption.publicKey;
  const reply: Reply = {
    type: "guard/v1/reply",
    request: id,
    reason: "only half",
    edit: { args: { amount: 450, order: "plain" } },
  };
  const cases: object[] = [];
  restart("replies");
  const seal = (of: Reply, device = alice.device) =>
    sealReply({ reply: of, app: w.app, device, agentEncryptionKey: encryptionKey });
  const statement = (sealed: SealedReply | null, change: object = {}) => ({
    ...{ app: w.app, request: id, device: alice.device, response: sealed && replyDigest(sealed) },
    ...change,
  });
  const good = async (name: string, of: Reply) => {
    const sealed = await seal(of);
    cases.push({ name, statement: statement(sealed), reply: sealed, valid: true, text: canonicalJson(of) });
  };
  const bad = (name: string, why: string, sealed: SealedReply, signs: object) =>
    cases.push({ name, statement: signs, reply: sealed, valid: false, why });
  await good("a reason and an edit", reply);
  await good("a reason alone", { ...reply, edit: null });
  await good("an edit alone, to null", { ...reply, reason: null, edit: { args: null } });
  const sealed = await seal(reply);
  const another = await seal({ ...reply, reason: "send it to me instead" });
  bad("reason-injection: another reply than was signed", "response", another, statement(sealed));
  bad("reason-injection: a reply where none was signed", "response", another, statement(null));
  bad(
    "bad-ciphertext: a flipped bit",
    "response",
    { ...sealed, ciphertext: flipped(sealed.ciphertext) },
    statement(sealed),
  );
  const broken = { ...sealed, ciphertext: flipped(sealed.ciphertext) };
  bad("bad-ciphertext: a flipped bit that was signed", "open", broken, statement(broken));
  const truncated = { ...sealed, enc: sealed.enc.slice(0, 40) };
  bad("bad-ciphertext: a short encapsulation", "open", truncated, statement(truncated));
  bad(
    "cross-request-splice: sealed by another device",
    "aad",
    sealed,
    statement(sealed, { device: bob.device }),
  );
  bad(
    "cross-request-splice: for another request",
    "aad",
    sealed,
    statement(sealed, { request: word("another request") }),
  );
  const moved = await seal({ ...reply, request: word("another request") });
  bad(
    "cross-request-splice: sealed for another request",
    "request",
    moved,
    statement(moved, { request: word("another request"), device: bob.device }),
  );
  const raw = async (text: string) => {
    const out = await hpkeSeal(fromBase64url(encryptionKey), pad(utf8(text)), {
      info: "guard/v1/reply",
      aad: utf8(canonicalJson({ app: w.app, request: id, device: alice.device })),
    });
    return { enc: base64url(out.enc), ciphertext: base64url(out.ciphertext) };
  };
  for (const [name, why, text] of [
    ["an unknown member", "shape", canonicalJson({ ...reply, tool: "delete" })],
    [
      "edited-tool-escape: an edit that names a tool",
      "shape",
      canonicalJson({ ...reply, edit: { args: {}, tool: "delete" } }),
    ],
    ["a reason that is too long", "shape", canonicalJson({ ...reply, reason: "x".repeat(4001) })],
    ["not canonical", "canonical", `${canonicalJson(reply)} `],
    ["another type", "type", canonicalJson({ ...reply, type: "guard/v1/paper" })],
    [
      "inside it says another request",
      "request",
      canonicalJson({ ...reply, request: word("another request") }),
    ],
  ] as const) {
    const made = await raw(text);
    bad(name, why, made, statement(made));
  }
  return {
    description:
      "Sealed replies (section 7.2): what a device seals to the agent, and the part of its statement that binds it. `valid`: whether the agent may read it; `text` is what comes out.",
    agentSeed: base64url(seed("agent billing")),
    cases,
  };
}
