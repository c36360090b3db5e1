/** Words that people paste: connections, invitations, addresses, identities, durations. */
import {
  type Connection,
  checkRelayUrl,
  createRelayClient,
  fingerprint,
  formatConnection,
  formatInvitation,
  normaliseIdentity,
  parseConnection,
  parseInvitation,
  skeleton,
} from "@guard/core";
import * as z from "zod/mini";
import { durationOf, portOf } from "../../../../packages/cli/src/commands/context.ts";
import { milliseconds } from "../../../../packages/core/src/policy/duration.ts";
import { canonicalReading } from "../independent.ts";
import type { Codec } from "../mutate.ts";
import { shapes } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

/** A prefix and the base64url of JSON. */
function word(prefix: string): Codec {
  return {
    decode: (text) =>
      text.startsWith(prefix) ? Buffer.from(text.slice(prefix.length), "base64url").toString() : null,
    encode: (inner) => prefix + Buffer.from(inner).toString("base64url"),
  };
}

export function wordTargets({ connection, owner }: World): Target[] {
  const connectionWord = word("guard-connection-");
  const invitationWord = word("guard-invite-");
  const reading = (codec: Codec, text: string, type: string) => {
    const inner = codec.decode(text);
    const value = inner === null ? undefined : canonicalReading(inner);
    return value !== undefined && (shapes[type] as (value: unknown) => boolean)(value);
  };
  const invitation = {
    version: 1,
    relay: "https://relay.example.com/guard",
    app: owner.app,
    identity: "alice@example.com",
    expiresAt: Date.now(),
    code: "AAAAAAAAAAAAAAAAAAAAAA",
  } as const;
  return [
    {
      name: "connections",
      covers: ["parseConnection", "formatConnection"],
      seeds: [
        formatConnection(connection),
        formatConnection({ ...connection, relay: "https://relay.example.com/guard" }),
      ],
      codec: connectionWord,
      runs: 1000,
      async judge(input) {
        const parsed = await guarded(() => parseConnection(input));
        if (parsed === undefined) return false;
        expect(formatConnection(parsed) === input.trim(), "it is not written as it was read");
        expect(
          reading(connectionWord, input.trim(), "guard/v1/connection"),
          "a connection without its shape",
        );
        await staysAtHome(parsed.relay, parsed);
        return true;
      },
    },
    {
      name: "invitations",
      covers: ["parseInvitation", "formatInvitation"],
      seeds: [formatInvitation(invitation), `https://page.example/#${formatInvitation(invitation)}`],
      codec: invitationWord,
      runs: 1000,
      async judge(input) {
        const parsed = await guarded(() => parseInvitation(input));
        if (parsed === undefined) return false;
        const text = formatInvitation(parsed);
        expect(input.includes(text), "it is not written as it was read");
        expect(reading(invitationWord, text, "guard/v1/invitation"), "an invitation without its shape");
        return true;
      },
    },
    {
      name: "addresses",
      covers: ["checkRelayUrl", "createRelayClient"],
      seeds: [
        "https://relay.example.com/guard",
        "http://127.0.0.1:4870",
        "http://[::1]:1/",
        "http://localhost/a/b/",
      ],
      runs: 1000,
      async judge(input) {
        const url = await guarded(() => checkRelayUrl(input));
        if (url === undefined) return false;
        const loopback = ["localhost", "[::1]"].includes(url.hostname) || url.hostname.startsWith("127.");
        expect(
          url.protocol === "https:" || (url.protocol === "http:" && loopback),
          "the token would travel in the clear",
        );
        await staysAtHome(input, connection);
        return true;
      },
    },
    {
      name: "identities",
      covers: ["normaliseIdentity", "skeleton", "fingerprint"],
      seeds: [
        "alice@example.com",
        "+49 (30) 123-45.67",
        "0xAbCdEf0123456789aBcDeF0123456789AbCdEf01",
        "иван@пример.рф",
        "J@x",
      ],
      runs: 2000,
      async judge(input) {
        skeleton(input);
        const identity = await guarded(() => normaliseIdentity(input));
        if (identity === undefined) return false;
        expect(normaliseIdentity(identity) === identity, "normalising again gives another spelling");
        expect(identity.isWellFormed() && !/[\p{C}\p{Z}]/u.test(identity), "something hidden is in it");
        expect(
          skeleton(identity) === skeleton(skeleton(identity)) || skeleton(identity).length > 0,
          "no skeleton",
        );
        expect(/^\d{4} \d{4} \d{4}$/.test(fingerprint(input)), "a fingerprint of another form");
        return true;
      },
    },
    {
      name: "durations",
      covers: [],
      seeds: ["10s", "30m", "4h", "7d", "365d"],
      runs: 750,
      async judge(input) {
        const units = { s: 1, m: 60, h: 3600, d: 86_400 };
        const found = /^(\d+)([smhd])$/.exec(input);
        const ms = found ? Number(found[1]) * units[found[2] as keyof typeof units] * 1000 : Number.NaN;
        const policy = await guarded(() => milliseconds(input, "expiresIn"));
        expect(
          policy === undefined || (policy === ms && /^[ -~]*$/.test(input)),
          "the policy reads another duration",
        );
        const typed = await guarded(() => durationOf(input));
        expect(typed === undefined || typed === ms, "the command line reads another duration");
        const port = await guarded(() => portOf(input));
        expect(port === undefined || (Number.isInteger(port) && port >= 0 && port < 65_536), "no port");
        return policy !== undefined;
      },
    },
  ];
}

/** Whatever an address looks like, the token goes to the host that was checked, and nowhere else. */
async function staysAtHome(address: string, { token }: Connection): Promise<void> {
  const home = new URL(address).origin;
  const sent: string[] = [];
  const fetch: typeof globalThis.fetch = async (input) => {
    sent.push(new URL(new Request(input).url).origin);
    return Response.json({});
  };
  const client = createRelayClient({ url: address, token, retries: 0, fetch });
  await guarded(() => client.call("GET", "/v1/relay", { schema: z.object({}) }));
  await guarded(() => client.stream("/v1/stream", { signal: AbortSignal.timeout(1000) }));
  expect(
    sent.length === 2 && sent.every((origin) => origin === home),
    `the token went to ${sent.join(" and ")}`,
  );
}
