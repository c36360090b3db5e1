/** Sessions under sequences that no client would send: each request is answered once, in order, by its own id. */
import { afterEach, expect, test } from "vitest";
import type { Fields, LegName, SimulatedDevice } from "./device.fixture.ts";
import { noxyPlace, registrationMac } from "./place.fixture.ts";
import { newDeviceKeys } from "./seal.fixture.ts";

const alice = "alice@example.com";

let place: Awaited<ReturnType<typeof noxyPlace>>;
afterEach(() => place.close());

/** Numbers that are the same in every run (mulberry32). */
function numbers(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test.each((["stream", "browser"] as LegName[]).flatMap((leg) => [1, 2, 3].map((seed) => ({ leg, seed }))))(
  "every request is answered once and in order, whatever came before it ($leg, seed $seed)",
  async ({ leg, seed }) => {
    place = await noxyPlace();
    const { app, billing, device, clock } = place;
    const random = numbers(seed);
    const known = ["none", ""];
    const nonces = [new Uint8Array(12), new Uint8Array(11), new Uint8Array(0)];
    let keys = newDeviceKeys();
    const fields = (): Fields => {
      const over: Fields[] = [
        { deviceId: "x" },
        { sessionId: "x" },
        { appId: "x" },
        { nonce: nonces[random(nonces.length)] as Uint8Array },
        { timestamp: BigInt(random(2) * clock.now) },
      ];
      return over[random(20)] ?? {};
    };
    const steps: ((phone: SimulatedDevice) => Promise<unknown>)[] = [
      (phone) => phone.authenticate(fields()),
      (phone) => phone.register(alice, {}, fields()),
      (phone) => {
        const signature = registrationMac(app.app, phone.keys, { identity: alice });
        return phone.register(alice, { signature }, fields());
      },
      (phone) => phone.subscribe(random(4) > 0, fields()),
      (phone) => phone.subscribe(true, fields()),
      (phone) => phone.ack(known[random(known.length)] as string, fields()),
      (phone) =>
        phone.answer(known[random(known.length)] as string, random(2) ? "APPROVE" : "REJECT", fields()),
      (phone) => phone.ask(undefined, fields()),
      (phone) => (random(4) > 0 ? phone.subscribe(true) : phone.rotate(newDeviceKeys(), fields())),
      (phone) => (random(6) > 0 ? phone.authenticate() : phone.revoke(fields())),
      async () => void known.push((await billing.send(alice, {})).decision),
    ];
    for (let round = 0; round < 6; round++) {
      const phone = device(leg, keys);
      const asked = Array.from({ length: 80 }, () =>
        (steps[random(steps.length)] as (typeof steps)[0])(phone),
      );
      // An answer that never came would hold this up for good.
      await Promise.all(asked);
      const ids = phone.frames.map(({ requestId }) => requestId).filter((id) => id !== "");
      expect(ids).toEqual(Array.from({ length: phone.asked() }, (_, i) => `r${i + 1}`));
      phone.close();
      await phone.ended;
      if (random(2)) keys = newDeviceKeys();
    }
  },
);
