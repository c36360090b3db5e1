/** Vectors of sealed requests, with the devices' private keys. */
import { base64url, canonicalJson, type Paper, utf8 } from "../../packages/core/src/index.ts";
import { seed, word } from "./random.ts";
import { flipped, hour, lie, type Made, pad, paperOf, request, type Wrap } from "./sealing.ts";
import { now, type Person, type VectorFile, type World } from "./world.ts";

export async function sealedRequests(w: World): Promise<VectorFile> {
  const { alice, bob, mallory } = w.people;
  const cases: object[] = [];
  const plain = await request(w, "plain");
  const asCase = (name: string, made: Made, to: Person, rest: object) => {
    const { device: _, ...wrap } =
      made.wraps.find((of) => of.device === to.device) ?? (made.wraps[0] as Wrap & { device: string });
    cases.push({ name, device: to.device, header: made.header, ciphertext: made.ciphertext, wrap, ...rest });
  };
  const good = (name: string, made: Made, to: Person, paper: Paper) =>
    asCase(name, made, to, { valid: true, paper: canonicalJson(paper) });
  const bad = (name: string, why: string, made: Made, change: object = {}, to = alice) =>
    asCase(name, made, to, { valid: false, why, ...change });

  good("to the first device", plain, alice, paperOf(w, "plain"));
  good("to the second device", plain, bob, paperOf(w, "plain"));
  const long = { action: { tool: "note", args: { text: "x".repeat(1500) }, schemaDigest: word("schema") } };
  good("a long paper: 2048 bytes and more", await request(w, "long", long), alice, paperOf(w, "long", long));
  const again = { round: 1, supersedes: JSON.parse(plain.header.body).request as string };
  good("asked anew", await request(w, "plain", again), alice, paperOf(w, "plain", again));
  good("by hand", await lie(w, "by hand"), alice, paperOf(w, "by hand"));

  const wrapOf = (made: Made, of: Person) => {
    const { device: _, ...wrap } = made.wraps.find((one) => one.device === of.device) as Wrap & {
      device: string;
    };
    return wrap;
  };
  const other = await request(w, "other");
  const own = wrapOf(plain, alice);
  bad("bad-ciphertext: a flipped bit", "ciphertextHash", plain, { ciphertext: flipped(plain.ciphertext, 9) });
  bad("bad-ciphertext: cut off", "ciphertextHash", plain, { ciphertext: plain.ciphertext.slice(0, 200) });
  bad("bad-ciphertext: empty", "ciphertextHash", plain, { ciphertext: "" });
  bad("bad-ciphertext: not base64url", "encoding", plain, { ciphertext: `${plain.ciphertext}=` });
  bad("bad-ciphertext: a flipped bit in the wrap", "wrapHash", plain, {
    wrap: { ...own, ciphertext: flipped(own.ciphertext) },
  });
  bad("bad-ciphertext: a flipped bit in the encapsulation", "wrapHash", plain, {
    wrap: { ...own, enc: flipped(own.enc) },
  });
  bad("cross-request-splice: another device's wrap", "wrapHash", plain, { wrap: wrapOf(plain, bob) });
  bad("cross-request-splice: another request's wrap", "wrapHash", plain, { wrap: wrapOf(other, alice) });
  bad("cross-request-splice: another request's ciphertext", "ciphertextHash", plain, {
    ciphertext: other.ciphertext,
  });
  bad("not-an-approver: a device that is no recipient", "recipient", plain, { device: mallory.device });
  bad(
    "sender-impersonation: signed by another agent",
    "signature",
    await lie(w, "l1", { signer: w.other.signer }),
  );
  bad(
    "sender-impersonation: another agent's name",
    "signature",
    await lie(w, "l2", { header: { agent: "other" } }),
  );
  bad("forged-outcome: the signature of another header", "signature", {
    ...plain,
    header: { ...plain.header, signature: other.header.signature },
  });
  bad(
    "clock-rollback: expiresAt is moved and signed again",
    "aad",
    await lie(w, "l3", { header: { expiresAt: now + 2 * hour } }),
  );
  bad(
    "cross-request-splice: sealed for another request",
    "aad",
    await lie(w, "l4", { contentAad: { app: w.app, request: word("another"), expiresAt: now + hour } }),
  );
  bad(
    "cross-request-splice: wrapped for another device",
    "aad",
    await lie(w, "l5", {
      wrapAad: { app: w.app, request: word("x"), device: bob.device, ciphertextHash: word("y") },
    }),
  );
  bad("wrapped under another info", "info", await lie(w, "l6", { info: "guard/v1/reply" }));
  bad("key-substitution: wrapped for another key", "key", await lie(w, "l7", { to: mallory }));
  const paper = paperOf(w, "l8");
  bad(
    "wrong padding: not a power of two",
    "padding",
    await lie(w, "l8", { padded: pad(utf8(canonicalJson(paper)), 600) }),
  );
  bad(
    "wrong padding: larger than needed",
    "padding",
    await lie(w, "l8", { padded: pad(utf8(canonicalJson(paper)), 4096) }),
  );
  const dirty = pad(utf8(canonicalJson(paper)));
  dirty[dirty.length - 1] = 1;
  bad("wrong padding: not zeros", "padding", await lie(w, "l8", { padded: dirty }));
  const lengthy = pad(utf8(canonicalJson(paper)));
  Buffer.from(lengthy.buffer, lengthy.byteOffset).writeUInt32BE(lengthy.length, 0);
  bad("wrong padding: a length beyond the end", "padding", await lie(w, "l8", { padded: lengthy }));
  const l9 = paperOf(w, "l9");
  bad(
    "canonical-confusion: a paper that is not canonical",
    "canonical",
    await lie(w, "l9", { text: ` ${canonicalJson(l9)}` }),
  );
  bad(
    "a paper with an unknown member",
    "shape",
    await lie(w, "l9", { text: canonicalJson({ ...l9, note: "x" }) }),
  );
  bad(
    "downgrade: a paper of another version",
    "type",
    await lie(w, "l9", { text: canonicalJson({ ...l9, type: "guard/v2/paper" }) }),
  );
  bad(
    "lies-in-the-loop: the paper has another action than the header signs",
    "actionDigest",
    await lie(w, "l9", { text: canonicalJson({ ...l9, action: { ...l9.action, tool: "lookup" } }) }),
  );
  bad(
    "the header signs another paper",
    "requestDigest",
    await lie(w, "l9", { header: { requestDigest: word("another paper") } }),
  );
  bad(
    "the header has another nonce",
    "nonce",
    await lie(w, "l9", { text: canonicalJson({ ...l9, nonce: word("another nonce") }) }),
  );
  bad(
    "the header has easier terms",
    "terms",
    await lie(w, "l9", { header: { terms: { ...l9.terms, approvers: [alice.identity] } } }),
  );
  bad("the header has another useBy", "useBy", await lie(w, "l9", { header: { useBy: now + 3 * hour } }));
  bad("the header has another round", "round", await lie(w, "l9", { header: { round: 1 } }));
  bad("the header has an unknown member", "shape", await lie(w, "l9", { header: { note: "x" } }));
  bad(
    "the header has another type",
    "type",
    await lie(w, "l9", { header: { type: "guard/v2/request" } as never }),
  );
  bad(
    "threshold-zero: quorum 0",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, quorum: 0 } } }),
  );
  bad(
    "a quorum that nobody can reach",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, quorum: 2, requester: alice.identity } } }),
  );
  bad(
    "approvers that are not sorted",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, approvers: [...l9.terms.approvers].reverse() } } }),
  );
  bad("times out of order", "shape", await lie(w, "l9", { header: { useBy: now } }));

  return {
    description:
      "Sealed requests (sections 5 and 6). A device of `devices` opens `header`, `ciphertext` and `wrap` with its private seed; the header has to be signed by `agentKey`. `valid`: whether it may be shown; `paper`: the canonical text that comes out. `why` is a hint. The HPKE randomness of these files is that of tools/vectors/random.ts.",
    ...{
      app: w.app,
      agent: "billing",
      agentKey: w.agent.signer.key,
      agentSeed: base64url(seed("agent billing")),
    },
    devices: Object.fromEntries(
      [alice, bob, mallory].map(({ identity, device, decryption }) => [
        device,
        {
          identity,
          encryptionSeed: base64url(seed(`device encryption ${identity.split("@")[0]}`)),
          encryptionKey: decryption.publicKey,
        },
      ]),
    ),
    cases,
  };
}
