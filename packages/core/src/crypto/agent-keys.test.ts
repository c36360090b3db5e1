import { describe, expect, it } from "vitest";
import { agentKeys } from "./agent-keys.ts";
import { base64url } from "./encoding.ts";

const seed = (fill: number) => new Uint8Array(32).fill(fill);

describe("an agent's keys", () => {
  it("are the same again after a restart, and others for another seed", async () => {
    const [first, again, other] = await Promise.all([
      agentKeys(seed(1)),
      agentKeys(seed(1)),
      agentKeys(seed(2)),
    ]);
    const all = (keys: typeof first) => [
      keys.signer.key.publicKey,
      keys.decryption.publicKey,
      keys.salt("app", "key"),
      keys.keyId("app", "key"),
      keys.requestId("key", 0),
      base64url(keys.contentKey("nonce")),
    ];
    expect(all(again)).toEqual(all(first));
    expect(new Set([...all(first), ...all(other)]).size).toBe(12);
  });

  it("are separated by label: the same parts give another secret for each use", async () => {
    const keys = await agentKeys(seed(1));
    const made = [keys.salt("a", "b"), keys.keyId("a", "b"), keys.requestId("a", 1), keys.requestId("a", 2)];
    expect(new Set(made).size).toBe(4);
    for (const text of made) expect(text).toHaveLength(43);
  });

  it("delimiter-ambiguity: parts that read alike when joined give different ids", async () => {
    const { keyId, salt, requestId } = await agentKeys(seed(1));
    const pairs = [
      ["a", "bc"],
      ["ab", "c"],
      ["abc", ""],
      ["", "abc"],
      ['a","b', "c"],
      ["a", 'b","c'],
    ] as const;
    for (const make of [keyId, salt]) {
      expect(new Set(pairs.map(([app, key]) => make(app, key))).size).toBe(pairs.length);
    }
    expect(requestId("a", 11)).not.toBe(requestId("a1", 1));
  });
});
