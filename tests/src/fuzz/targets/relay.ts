/**
 * Every route of the relay: no body, header, query, id or token makes it fail (500) or answer anything but JSON of
 * the one error shape, and nothing that was changed on its way is taken.
 */
import { apiErrorSchema, type Signed, type Signer } from "@guard/core";
import { deviceKeys } from "@guard/device";
import * as z from "zod";
import { canonicalReading } from "../independent.ts";
import { shapes } from "../shapes.ts";
import { expect, type Target } from "../target.ts";
import { nodes, treeOf, write } from "../tree.ts";
import { type Call, createWorld, type World } from "../world.ts";

/** A call as an input: `as` names whose token it carries, so that an input of the corpus fits every world. */
interface Given {
  readonly method: string;
  readonly path: string;
  readonly as: string;
  readonly type: string;
  readonly body: string | null;
}

const unchanged = [
  "entry",
  "root",
  "grant",
  "invite",
  "enrolment",
  "header",
  "statement",
  "consume",
  "report",
  "cancel",
  "app",
  "unsigned",
];

export async function relayTargets(): Promise<Target[]> {
  // Its state moves with what it takes, so it gets a world of its own.
  const own = await createWorld();
  const { calls, devices, connection, owner, relay, keys } = own;
  const tokens: Readonly<Record<string, string>> = {
    operator: own.operatorToken,
    owner: owner.token,
    agent: connection.token,
    device: (devices[0] as World["devices"][0]).profile.token,
    invitation: calls.find(({ path, method }) => path === "/v1/enrolments" && method === "POST")?.token ?? "",
    nobody: "",
  };
  const { signer: deviceSigner } = await deviceKeys((devices[0] as World["devices"][0]).profile);
  const holders = new Map(Object.entries(tokens).map(([name, token]) => [token, name]));
  const genuine = new Set(Object.values(own.bodies).flat());
  const made = (call: Call): Given => ({
    method: call.method,
    path: call.path,
    as: holders.get(call.token ?? "") ?? "nobody",
    type: "application/json",
    body: call.body,
  });
  const posts = distinct(calls.filter(({ status, reply }) => status < 300 && reply !== null)).map(made);
  const id = own.views[0]?.request;
  const reads: Given[] = [
    "/v1/relay",
    "/v1/roster?from=0&wanted=alice%40example.com",
    `/v1/requests/${id}?wait=0&version=1`,
    "/v1/requests?state=closed",
    "/health",
    "/ready",
    "/openapi.json",
  ].map((path) => ({ method: "GET", path, as: "agent", type: "", body: null }));

  async function send(given: Given): Promise<Response | null> {
    let request: Request;
    try {
      const headers = { "content-type": given.type, authorization: `Bearer ${tokens[given.as] ?? given.as}` };
      const url = `http://127.0.0.1${given.path.startsWith("/") ? "" : "/"}${given.path}`;
      request = new Request(url, {
        method: given.method,
        headers,
        ...(given.body === null ? {} : { body: given.body }),
      });
    } catch {
      return null; // No HTTP client can send this; sockets.test.ts sends what none would.
    }
    const response = await relay.fetch(request);
    const { status } = response;
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      await response.body?.cancel();
      return response;
    }
    const text = await response.clone().text();
    expect(status < 500, `status ${status}: ${text}`);
    if (status >= 400) {
      const body = z.strictObject({ error: z.object({ code: z.string(), message: z.string().min(1) }) });
      expect(
        z.safeParse(apiErrorSchema as never, JSON.parse(text)).success &&
          body.safeParse(JSON.parse(text)).success,
        `no error of the API: ${text}`,
      );
    } else if (given.method !== "HEAD") JSON.parse(text);
    return response;
  }

  function parse(input: string): Given | null {
    try {
      const { method, path, as, type, body } = JSON.parse(input) as Given;
      const texts = [method, path, as, type].every((text) => typeof text === "string");
      return texts && (body === null || typeof body === "string") ? { method, path, as, type, body } : null;
    } catch {
      return null;
    }
  }

  return [
    {
      name: "relay-calls",
      covers: ["createRelay"],
      seeds: [...posts, ...reads].map((given) => JSON.stringify(given)),
      tries: posts.flatMap(illFormed).map((given) => JSON.stringify(given)),
      runs: 750,
      async judge(input) {
        const given = parse(input);
        const response = given && (await send(given));
        if (!given || !response?.ok)
          return given !== null && response !== null && posts.some(({ body }) => body === given.body);
        if (given.body === null || given.method === "GET") return true;
        const taken = JSON.parse(given.body.replace(/^\ufeff/, "")) as Record<string, Signed>;
        const members = unchanged.flatMap((name) =>
          Object.hasOwn(taken, name) ? [taken[name] as Signed] : [],
        );
        expect(members.length === 1, "a call was taken that says nothing, or too much");
        for (const { body } of members) expect(genuine.has(body), "something was taken that nobody signed");
        return true;
      },
      close: own.close,
    },
    {
      name: "relay-insiders",
      covers: ["createRelay"],
      // Bodies that the token's holder signs as it likes: the signature is right, and the rest may be anything.
      seeds: posts.flatMap(({ body, path, as }) => {
        const [name, signed] =
          Object.entries((body === null ? {} : JSON.parse(body)) as Record<string, Signed>).find(([key]) =>
            unchanged.includes(key),
          ) ?? [];
        return name && signed && signerOf(as) ? [JSON.stringify({ path, as, name, value: signed.body })] : [];
      }),
      runs: 600,
      async judge(input) {
        let given: { path: string; as: string; name: string; value: string };
        try {
          given = JSON.parse(input) as typeof given;
        } catch {
          return false;
        }
        if ([given?.path, given?.as, given?.name, given?.value].some((text) => typeof text !== "string"))
          return false;
        const { path, as, name, value } = given;
        const signer = signerOf(as);
        const post = posts.find((each) => each.path === path && each.body?.includes(`"${name}"`));
        if (!signer || !post?.body) return false;
        const signature = await signer.sign(new TextEncoder().encode(value));
        const body = JSON.stringify({
          ...(JSON.parse(post.body) as object),
          [name]: { body: value, signature },
        });
        const response = await send({ ...post, path, as, body });
        if (!response?.ok)
          return posts.some((each) => each.path === path && signedIn(each.body, name)?.body === value);
        const read = canonicalReading(value);
        const shape = shapes[(read as { type?: string } | undefined)?.type ?? ""];
        expect(shape?.(read) === true, "something was taken that is no signed object of its type");
        return true;
      },
    },
  ];

  function signerOf(as: string): Signer | undefined {
    if (as === "agent") return keys.signer;
    if (as === "device" || as === "invitation") return deviceSigner;
    // Whatever the owner signs changes the app for good: its agent may be gone afterwards, and its calls refused.
    if (as === "owner") return own.root;
    return undefined;
  }
}

/** The call once for each of its texts, which is no text of any encoding then. */
function illFormed(given: Given): Given[] {
  const tree = treeOf(given.body ?? "");
  if (tree === null) return [];
  return nodes(tree).flatMap((node) => {
    if (node.kind !== "text") return [];
    const { text } = node;
    node.text = "\ud800";
    const body = write(tree, true);
    node.text = text;
    return [{ ...given, body }];
  });
}

function signedIn(body: string | null, name: string): Signed | undefined {
  return body === null ? undefined : (JSON.parse(body) as Record<string, Signed>)[name];
}

function distinct(calls: readonly Call[]): Call[] {
  const kinds = new Map<string, Call[]>();
  for (const call of calls) {
    const kind = `${call.method} ${call.path.replace(/[\w-]{43}/, "ID").replace(/\?.*/, "")}`;
    const list = kinds.get(kind) ?? [];
    if (list.length < 3) list.push(call);
    kinds.set(kind, list);
  }
  return [...kinds.values()].flat();
}
