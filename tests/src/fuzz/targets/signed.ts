/**
 * What is signed: keys, signatures, answers, rosters, enrolments. The mutator has no private key, so whatever is
 * believed has to be, byte for byte, what somebody signed; a second verification by node:crypto says so too.
 */
import {
  appendEntry,
  canonicalJson,
  cryptoKeySigner,
  enrolmentMac,
  type Invitation,
  invitationToken,
  outcomeOf,
  readAnswer,
  readEnrolment,
  readEntry,
  readHeader,
  readRoster,
  type Signed,
  type SigningKey,
  signEntry,
  signedSchema,
  signObject,
  tokenHash,
  verifyAnswer,
  verifyAnswers,
  verifyEnrolment,
  verifySignature,
  verifySigned,
  whyNotCounted,
} from "@guard/core";
import * as z from "zod";
import { passkey } from "../../../../packages/core/src/crypto/passkey.fixture.ts";
import { signingKeySchema } from "../../../../packages/core/src/crypto/signature.ts";
import { newInvitationCode } from "../../../../packages/core/src/roster/enrolment.ts";
import { verifiedBy } from "../second-verification.ts";
import { signed as looksSigned, shapes } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

/** The value of a JSON text where it has `schema`'s shape, as every edge checks before it goes on. */
export function shaped<T>(schema: z.core.$ZodType<T>, text: string): T | undefined {
  try {
    const parsed = z.core.safeParse(schema, JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const verification = z.strictObject({
  key: signingKeySchema,
  signed: signedSchema,
}) as unknown as z.core.$ZodType<{
  key: SigningKey;
  signed: Signed;
}>;

export async function signedTargets(world: World): Promise<Target[]> {
  const { owner, views, root, connection } = world;
  const roster = owner.roster();
  const view = views[1] ?? views[0];
  if (!view) throw new Error("The world has no request.");
  const header = readHeader(view.header);
  const answers = views.flatMap(({ answers }) => answers.map(({ statement }) => statement));
  const keys = [await passkey("ES256"), await passkey("EdDSA"), await p256(), root];
  const verifications = await Promise.all(
    keys.map(async (signer) => {
      const signed = await signObject(signer, { type: "guard/v1/cancel", time: 7 } as { type: string });
      return JSON.stringify({ key: signer.key, signed });
    }),
  );
  const real = new Set(roster.entries.map(({ body }) => body));
  const enrolled = await enrolment(world);
  // The root signed two histories: an entry of the one never follows the other.
  const options = { signer: root, by: "root", now: roster.time };
  const other = await appendEntry(roster.at(2), await signEntry(roster.at(2), { kind: "renew" }, options));
  const forked = await signEntry(other, { kind: "renew" }, options);

  return [
    {
      name: "signatures",
      covers: ["verifySignature", "verifySigned"],
      seeds: verifications,
      runs: 750,
      async judge(input) {
        const given = shaped(verification, input);
        if (given === undefined) return false;
        const { key, signed } = given;
        const accepted = await verifySigned(key, signed);
        const data = new TextEncoder().encode(signed.body);
        expect(
          accepted === (await verifySignature(key, data, signed.signature)),
          "two answers about one signature",
        );
        expect(
          accepted === verifiedBy(key, signed.body, signed.signature),
          `Guard says ${accepted}, node:crypto does not`,
        );
        return accepted;
      },
    },
    {
      name: "answers",
      covers: ["verifyAnswer", "verifyAnswers", "whyNotCounted", "outcomeOf", "readAnswer"],
      seeds: [JSON.stringify(view.answers.map(({ statement }) => statement))],
      runs: 400,
      async judge(input) {
        const given = shaped(z.array(signedSchema), input);
        if (given === undefined) return false;
        const believed = await verifyAnswers(header, roster, given);
        for (const statement of believed) {
          const text = canonicalJson(statement);
          expect(
            answers.some(({ body }) => body === text),
            "a statement counts that nobody signed",
          );
        }
        for (const signed of given) await verifyAnswer(header, roster, signed);
        // Insiders sign what they like: what is read may say anything and still be counted by the rules alone.
        for (const signed of given) {
          const statement = await guarded(() => readAnswer(signed));
          if (statement && whyNotCounted(header, roster, statement) === null) {
            const outcome = outcomeOf(header, roster, [statement], Date.now());
            const unsigned = statement.type === "guard/v1/unsigned";
            const person = unsigned ? null : roster.device(statement.device)?.identity;
            expect(person === statement.identity, "a statement counts for another device's person");
            expect(outcome.status !== "approved" || statement.decision === "approve", "a rejection approves");
          }
        }
        return believed.length > 0;
      },
    },
    {
      name: "rosters",
      covers: ["readRoster", "appendEntry", "readEntry"],
      tries: [
        JSON.stringify([...roster.entries.slice(0, 4), forked]),
        JSON.stringify([...roster.entries.slice(0, 3), forked]),
      ],
      seeds: [JSON.stringify(roster.entries), JSON.stringify(roster.entries.slice(0, 2))],
      runs: 250,
      async judge(input) {
        const given = shaped(z.array(signedSchema), input);
        if (given === undefined) return false;
        const read = await guarded(() => readRoster(given, { app: roster.app }));
        if (read === undefined) return false;
        expect(
          read.entries.every(({ body }, i) => body === roster.entries[i]?.body),
          "an entry was read that nobody signed there",
        );
        expect(read.entries.length === given.length, "an entry was left out without a word");
        return true;
      },
    },
    {
      name: "roster-changes",
      covers: ["appendEntry"],
      seeds: roster.entries
        .slice(1)
        .map(({ body }) => JSON.stringify(readEntry({ body, signature: "" }).change)),
      runs: 400,
      async judge(input) {
        const change = await guarded(() => shapedJson(input));
        if (change === undefined) return false;
        const signed = await guarded(() =>
          signEntry(roster, change as never, { signer: root, by: "root", now: roster.time }),
        );
        if (signed === undefined) return false;
        const grown = await guarded(() => appendEntry(roster, signed));
        if (grown === undefined)
          return real.has(signed.body) || roster.entries.some(({ body }) => sameChange(body, change));
        const entry = readEntry(signed);
        expect(
          (shapes["guard/v1/roster"] as (value: unknown) => boolean)(entry),
          "an entry without its shape",
        );
        expect(
          grown.entries.length === roster.entries.length + 1 && grown.head.seq === roster.head.seq + 1,
          "not one more",
        );
        const publicKeys = grown.devices().map(({ key }) => key.publicKey);
        expect(new Set(publicKeys).size === publicKeys.length, "one key is two devices");
        const again = await readRoster(grown.entries, { app: roster.app });
        expect(again.head.hash === grown.head.hash, "it reads back as another roster");
        expect(
          grown.at(roster.head.seq).head.hash === roster.head.hash,
          "what was before is another roster now",
        );
        return true;
      },
    },
    {
      name: "enrolments",
      covers: ["verifyEnrolment", "readEnrolment", "invitationToken", "tokenHash"],
      seeds: [JSON.stringify(enrolled.signed)],
      runs: 400,
      async judge(input) {
        const given = shaped(signedSchema, input);
        if (given === undefined) return false;
        expect(looksSigned(given), "a signed object without its shape");
        const enrolment = await guarded(() =>
          verifyEnrolment(enrolled.invitation, given, enrolled.invitation.expiresAt - 1),
        );
        if (enrolment === undefined) return false;
        expect(given.body === enrolled.signed.body, "keys are believed that nobody with the code sent");
        expect(tokenHash(invitationToken(enrolled.invitation.code)).length === 43, "a token without a hash");
        return true;
      },
    },
  ];

  function sameChange(body: string, change: unknown): boolean {
    return canonicalJson(readEntry({ body, signature: "" }).change) === canonicalJson(change);
  }

  async function enrolment({ calls }: World): Promise<{ invitation: Invitation; signed: Signed }> {
    const posted =
      calls.find(({ path, method }) => path === "/v1/enrolments" && method === "POST")?.body ?? "";
    const { mac: _, ...facts } = readEnrolment((JSON.parse(posted) as { enrolment: Signed }).enrolment);
    const code = newInvitationCode();
    const signer = keys[3] as (typeof keys)[3];
    const mine = { ...facts, key: signer.key };
    const signed = await signObject(signer, { ...mine, mac: enrolmentMac(code, mine) });
    const { app, identity, expiresAt } = facts;
    return { signed, invitation: { version: 1, relay: connection.relay, app, identity, expiresAt, code } };
  }

  async function p256() {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
      "sign",
      "verify",
    ]);
    const raw = Buffer.from(await crypto.subtle.exportKey("raw", pair.publicKey));
    return cryptoKeySigner({ kind: "p256", publicKey: raw.toString("base64url") }, pair.privateKey);
  }
}

function shapedJson(text: string): unknown {
  return shaped(z.unknown(), text);
}
