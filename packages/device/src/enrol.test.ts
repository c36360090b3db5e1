// What is left in a store when an enrolment comes to nothing: nothing of it, and whatever was there before.
import { beforeEach, expect, test } from "vitest";
import { openDevice } from "./device.ts";
import { enrol } from "./enrol.ts";
import { type Party, party } from "./fixture.ts";
import { type DeviceStore, memoryDeviceStore } from "./profile.ts";

const alice = "alice@example.com";
let p: Party;
let store: DeviceStore;

beforeEach(async () => {
  p = await party();
  store = memoryDeviceStore();
});

const options = () => ({ name: "phone", origin: "terminal", store, fetch: p.fetch, now: p.now });
const away: typeof fetch = () => Promise.reject(new TypeError("fetch failed"));

/** A device that decides, and the invitation that made it. */
async function enrolled() {
  const invitation = await p.invite(alice);
  const enrolling = await enrol({ ...options(), invitation });
  await p.confirm(invitation);
  return { invitation, profile: await enrolling.waitUntilEnrolled({ interval: 1 }) };
}

test("an invitation that was used leaves the device that used it as it is", async () => {
  const { invitation, profile } = await enrolled();
  await expect(enrol({ ...options(), invitation })).rejects.toThrow(/was used/);
  expect(await store.list()).toEqual([profile]);
  await openDevice({ profile, store, fetch: p.fetch, now: p.now });
});

test("an invitation that somebody else used leaves nothing behind", async () => {
  const { invitation } = await enrolled();
  store = memoryDeviceStore();
  await expect(enrol({ ...options(), invitation })).rejects.toThrow(/was used/);
  expect(await store.list()).toEqual([]);
});

test("an invitation that was changed on its way leaves nothing behind, and says so", async () => {
  const invitation = await p.invite(alice);
  const changed = enrol({ ...options(), invitation: { ...invitation, app: "A".repeat(43) } });
  await expect(changed).rejects.toMatchObject({ code: "expired", message: /does not know this invitation/ });
  const other = enrol({ ...options(), invitation: { ...invitation, identity: "mallory@example.com" } });
  await expect(other).rejects.toThrow(/does not fit its invitation/);
  expect(await store.list()).toEqual([]);
});

test("an invitation that is over names both times: the clock may be what is wrong", async () => {
  const invitation = await p.invite(alice);
  const late = enrol({ ...options(), invitation, now: () => invitation.expiresAt + 3_600_000 });
  await expect(late).rejects.toThrow(/ended at 2.*clock says 2.*Set the clock/);
});

test("a relay that is away may have taken the keys: they stay, unless a device of that person is there already", async () => {
  const lost = enrol({ ...options(), invitation: await p.invite(alice), fetch: away });
  await expect(lost).rejects.toMatchObject({ code: "unavailable" });
  expect(await store.list()).toHaveLength(1);

  store = memoryDeviceStore();
  const { profile } = await enrolled();
  const again = enrol({ ...options(), invitation: await p.invite(alice), fetch: away });
  await expect(again).rejects.toMatchObject({ code: "unavailable" });
  expect(await store.list()).toEqual([profile]);
}, 20_000);

test("what is given up before it was confirmed gives the former device back", async () => {
  const { profile } = await enrolled();
  const second = await enrol({ ...options(), invitation: await p.invite(alice) });
  expect(await store.list()).toEqual([second.profile]);
  await second.giveUp();
  expect(await store.list()).toEqual([profile]);

  store = memoryDeviceStore();
  const first = await enrol({ ...options(), invitation: await p.invite(alice) });
  await first.giveUp();
  expect(await store.list()).toEqual([]);
});
