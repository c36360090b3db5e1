/** Files that Guard reads back: a device's profiles and roster, an agent's roster, the owner's files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { canonicalJson, type Signed } from "@guard/core";
import { type DeviceProfile, deviceKeys, memoryDeviceStore, openDevice } from "@guard/device";
import { fileDeviceStore } from "@guard/device/node";
import { openHome, readRosterFile } from "../../../../packages/cli/src/home.ts";
import { lockSeed, unlockSeed } from "../../../../packages/cli/src/root-key.ts";
import { fileRoster } from "../../../../packages/core/src/relay/roster-file.ts";
import { signed as looksSigned } from "../shapes.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

export async function fileTargets({ devices, owner, fetch }: World): Promise<Target[]> {
  const { profile } = devices[0] as World["devices"][0];
  const directory = mkdtempSync(join(tmpdir(), "guard-fuzz-"));
  const home = join(directory, "home");
  const profiles = join(directory, "profiles");
  for (const made of [home, profiles]) mkdirSync(made);
  const passphrase = async () => "a passphrase for the fuzz";
  const seed = new Uint8Array(32).fill(7);
  const cheap = { N: 16, r: 1, p: 1 };
  const parsed = (text: string): unknown => {
    try {
      return JSON.parse(Buffer.from(text).toString());
    } catch {
      return undefined;
    }
  };
  return [
    {
      name: "device-profiles",
      covers: ["fileDeviceStore", "deviceKeys", "openDevice"],
      seeds: [canonicalJson(profile)],
      runs: 200,
      async judge(input) {
        writeFileSync(join(profiles, "a.device.json"), input);
        const list = await guarded(() => fileDeviceStore(profiles).list());
        if (list === undefined) return false;
        const [read] = list as [DeviceProfile];
        expect(isDeepStrictEqual(read, parsed(input)), "a profile says something else than its file");
        const keys = await guarded(() => deviceKeys(read));
        if (keys === undefined) return false;
        const device = await guarded(() => openDevice({ profile: read, store: memoryDeviceStore(), fetch }));
        return device !== undefined;
      },
      async close() {
        rmSync(directory, { recursive: true, force: true });
      },
    },
    {
      name: "roster-files",
      covers: [],
      seeds: [canonicalJson(owner.roster().entries)],
      runs: 200,
      async judge(input) {
        const file = join(directory, "roster.json");
        writeFileSync(file, input);
        const read = await guarded(() => fileRoster(file).load());
        const typed = await guarded(() => readRosterFile(file));
        expect(isDeepStrictEqual(read, typed), "agent and command line read one file in two ways");
        if (!read) return false;
        expect(
          read.every(looksSigned) && isDeepStrictEqual(read, parsed(input) as Signed[]),
          "a roster says something else than its file",
        );
        return true;
      },
    },
    {
      name: "owner-files",
      covers: [],
      seeds: [canonicalJson({ version: 1, relay: owner.relay, app: owner.app, token: owner.token })],
      runs: 150,
      async judge(input) {
        writeFileSync(join(home, "owner.json"), input);
        const read = await guarded(() => openHome(home).owner());
        if (read === undefined) return false;
        expect(isDeepStrictEqual(read, parsed(input)), "the owner's file says something else");
        return true;
      },
    },
    {
      name: "root-keys",
      covers: [],
      seeds: [await lockSeed(seed, await passphrase(), cheap), await lockSeed(seed, null)],
      runs: 150,
      async judge(input) {
        const { N, r } = (parsed(input) ?? {}) as { N?: number; r?: number };
        if (typeof N === "number" && typeof r === "number" && N * r > 2 ** 16) return false; // Dear by design, and bounded.
        const opened = await guarded(() => unlockSeed(input, passphrase));
        if (opened === undefined) return false;
        expect(opened.length === 32, "a root key of another length");
        expect(
          input.includes("in-the-clear") || Buffer.from(opened).equals(seed),
          "a changed root key opens",
        );
        return true;
      },
    },
  ];
}
