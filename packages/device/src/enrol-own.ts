/** Inviting and enrolling in one go, for a device that the owner's own process holds: development and tests. */
import type { Owner } from "@guard/core";
import { enrol } from "./enrol.ts";
import type { DeviceProfile, DeviceStore } from "./profile.ts";

/** Enrols a device of `identity` and confirms it at once: nobody compares fingerprints with themselves. */
export async function enrolOwn(
  owner: Owner,
  options: {
    readonly identity: string;
    readonly name: string;
    readonly store: DeviceStore;
    readonly fetch?: typeof globalThis.fetch | undefined;
    readonly now?: () => number;
  },
): Promise<DeviceProfile> {
  const { identity, ...own } = options;
  const inviting = await owner.invite({ identity });
  const enrolling = await enrol({ ...own, invitation: inviting.invitation, origin: "terminal" });
  const waiting = await inviting.waitForDevice({ interval: 20 });
  await waiting.confirm();
  return enrolling.waitUntilEnrolled({ interval: 20 });
}
