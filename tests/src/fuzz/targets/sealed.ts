/**
 * What is sealed: requests on their way to devices and replies on their way back, changed by a relay (nothing
 * changed may open) and made by an agent or device that writes what it likes (what opens is a paper).
 */
import { isDeepStrictEqual } from "node:util";
import {
  canonicalJson,
  ciphertextDigest,
  decryptionKey,
  openReply,
  openRequest,
  type RequestView,
  randomBytes,
  readHeader,
  readStatement,
  reopenRequest,
  replyDigest,
  requestViewSchema,
  type SealedReply,
  sealedReplySchema,
  sealReply,
  sealRequest,
  wrapDigest,
} from "@guard/core";
import { deviceKeys, type OpenedRequest, visibleJson } from "@guard/device";
import * as z from "zod";
import { detailLines } from "../../../../packages/cli/src/words.ts";
import { canonicalReading } from "../independent.ts";
import { shapes } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";
import { shaped } from "./signed.ts";

const onItsWay = z.strictObject({
  ciphertext: z.string(),
  wrap: z.strictObject({ enc: z.string(), ciphertext: z.string() }),
});

export async function sealedTargets(world: World): Promise<Target[]> {
  const { devices, views, keys, bodies } = world;
  const device = devices[0] as World["devices"][0];
  const view = views.find(({ answers }) => answers.some(({ reply }) => reply)) as RequestView;
  const header = readHeader(view.header);
  const { statement: signed, reply } = view.answers.find(({ reply }) => reply) as {
    statement: never;
    reply: SealedReply;
  };
  const statement = readStatement(signed);
  const real = await reopenRequest(keys, header, view.ciphertext);
  const realReply = await openReply({ decryption: keys.decryption, statement, reply });
  const { ciphertext, wrap } = view;
  const decryption = await decryptionKey(randomBytes(32));
  const own = { app: header.app, agent: header.agent, device: header.recipients[0]?.device as string };
  const shown = await Promise.all(views.map((each) => device.open(each)));

  return [
    {
      name: "sealed-requests",
      covers: [
        "openRequest",
        "reopenRequest",
        "ciphertextDigest",
        "wrapDigest",
        "decryptionKey",
        "agentKeys",
      ],
      seeds: [JSON.stringify({ ciphertext, wrap })],
      runs: 200,
      async judge(input) {
        const given = shaped(onItsWay, input);
        if (given === undefined) return false;
        await guarded(() => [ciphertextDigest(given.ciphertext), wrapDigest(given.wrap)]);
        const again = await guarded(() => reopenRequest(keys, header, given.ciphertext));
        expect(
          again === undefined || given.ciphertext === ciphertext,
          "a changed ciphertext opens for its agent",
        );
        const profile = device.profile;
        const { decryption: mine } = await deviceKeys(profile);
        const opened = await guarded(() =>
          openRequest({ decryption: mine, device: profile.device, header, ...given }),
        );
        if (opened === undefined) return false;
        expect(
          given.ciphertext === ciphertext && isDeepStrictEqual(given.wrap, wrap),
          "a changed request opens",
        );
        expect(isDeepStrictEqual(opened, real), "it opens to something else");
        return true;
      },
    },
    {
      name: "papers",
      covers: ["sealRequest", "openRequest"],
      seeds: bodies["guard/v1/paper"] as string[],
      runs: 125,
      async judge(input) {
        // Sealed as an agent seals, over whatever it calls a paper.
        const paper = canonicalReading(input) as never;
        if (paper === undefined) return false;
        const devices = [{ device: own.device, encryptionKey: decryption.publicKey }];
        const keyId = header.keyId;
        let sealed: Awaited<ReturnType<typeof sealRequest>> | undefined;
        try {
          sealed = await guarded(() =>
            sealRequest({ keys, paper, app: own.app, agent: own.agent, keyId, devices }),
          );
        } catch (error) {
          if (error instanceof TypeError) return false; // Our own hand slipped: no agent seals what has no members.
          throw error;
        }
        if (sealed === undefined) return false;
        const { header: made, envelope } = sealed;
        const head = await guarded(() => readHeader(made));
        const [wrapped] = envelope.wraps;
        if (head === undefined || wrapped === undefined) return false;
        const opened = await guarded(() =>
          openRequest({
            decryption,
            device: own.device,
            header: head,
            ciphertext: envelope.ciphertext,
            wrap: { enc: wrapped.enc, ciphertext: wrapped.ciphertext },
          }),
        );
        if (opened === undefined) return false;
        expect(
          (shapes["guard/v1/paper"] as (value: unknown) => boolean)(opened),
          "a paper opened that is none",
        );
        expect(canonicalJson(opened) === input, "a paper opened to something else");
        visibleJson(opened.action.args);
        const like: OpenedRequest = {
          ...(shown[0] as OpenedRequest),
          ...opened,
          tool: opened.action.tool,
          args: opened.action.args,
        };
        detailLines(like, own.device, 0);
        return true;
      },
    },
    {
      name: "sealed-replies",
      covers: ["openReply", "replyDigest"],
      seeds: [JSON.stringify(reply)],
      runs: 200,
      async judge(input) {
        const given = shaped(sealedReplySchema as z.core.$ZodType<SealedReply>, input);
        if (given === undefined) return false;
        const opened = await guarded(() =>
          openReply({ decryption: keys.decryption, statement, reply: given }),
        );
        if (opened !== undefined) {
          expect(
            isDeepStrictEqual(given, reply) && isDeepStrictEqual(opened, realReply),
            "a changed reply opens",
          );
          return true;
        }
        // A device may sign for garbage: then the digest is right and opening has to fail by itself.
        const response = await guarded(() => replyDigest(given));
        if (response === undefined) return false;
        const lie = await guarded(() =>
          openReply({ decryption: keys.decryption, statement: { ...statement, response }, reply: given }),
        );
        expect(lie === undefined || isDeepStrictEqual(lie, realReply), "garbage opens to a reply");
        return false;
      },
    },
    {
      name: "replies",
      covers: ["sealReply", "openReply"],
      seeds: (bodies["guard/v1/reply"] ?? []).filter((body) => body.includes(statement.request)),
      runs: 125,
      async judge(input) {
        const made = canonicalReading(input) as never;
        if (made === undefined || typeof made !== "object" || made === null) return false;
        const { app, device: id } = statement;
        const sealed = await guarded(() =>
          sealReply({ reply: made, app, device: id, agentEncryptionKey: keys.decryption.publicKey }),
        );
        if (sealed === undefined) return false;
        // Whoever knows the agent's public key can seal to it; what the device did not sign for is no reply of its.
        const injected = await guarded(() =>
          openReply({ decryption: keys.decryption, statement, reply: sealed }),
        );
        expect(injected === undefined, "a reply opens that its approver did not sign for");
        const own = { ...statement, response: replyDigest(sealed) };
        const opened = await guarded(() =>
          openReply({ decryption: keys.decryption, statement: own, reply: sealed }),
        );
        if (opened === undefined) return false;
        expect(
          (shapes["guard/v1/reply"] as (value: unknown) => boolean)(opened),
          "a reply opened that is none",
        );
        expect(
          canonicalJson(opened) === input && opened.request === statement.request,
          "a reply opened to something else",
        );
        return true;
      },
    },
    {
      name: "request-views",
      covers: ["openDevice"],
      seeds: views.map((each) => JSON.stringify(each)),
      runs: 175,
      async judge(input) {
        const given = shaped(requestViewSchema as unknown as z.core.$ZodType<RequestView>, input);
        if (given === undefined) return false;
        const opened = await guarded(() => device.open(given));
        if (opened === undefined) return false;
        const honest = shown.find(({ request }) => request === opened.request);
        expect(honest !== undefined, "a request is shown that nobody asked");
        for (const name of [
          "agent",
          "tool",
          "args",
          "facts",
          "policy",
          "terms",
          "expiresAt",
          "useBy",
          "round",
        ] as const)
          expect(isDeepStrictEqual(opened[name], honest[name]), `another ${name} is shown than was asked`);
        const approving = opened.answers.filter(({ decision }) => decision === "approve");
        expect(opened.state !== "approved" || approving.length > 0, "approved without anybody's statement");
        detailLines(opened, device.profile.identity, Date.now());
        return true;
      },
    },
  ];
}
