import { expect, test } from "vitest";
import { VerificationError } from "../errors.ts";
import { growingRoster } from "../roster/roster.fixture.ts";
import { createRelayClient } from "./client.ts";
import { followRoster } from "./follower.ts";

test("roster-fork: another history in the store stops the follower, as one at the relay does", async () => {
  const world = await growingRoster();
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const from = Number(new URL(new Request(input, init).url).searchParams.get("from"));
    const { entries, head } = world.roster;
    return Response.json({ entries: entries.slice(from), head });
  };
  let other = false;
  const store = {
    load: async () => null,
    async save() {
      if (other) throw new VerificationError("The roster forked.");
    },
  };
  const client = createRelayClient({ url: "https://relay.example.com", token: "t", fetch });
  const follower = followRoster({ client, app: world.app, floor: null, store });
  await follower.ready();
  other = true;
  await world.enrol("alice@example.com");
  await expect(follower.sync()).rejects.toThrow(/forked/);
  // The store is not asked again where nothing is new; what it said holds.
  await expect(follower.sync()).rejects.toThrow(/forked/);
  expect(() => follower.current()).toThrow(/forked/);
});
