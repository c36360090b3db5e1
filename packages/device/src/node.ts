/**
 * `@guard/device/node`: profiles in files. A file holds private keys, so its directory is the user's alone
 * (0700), the file too (0600), and it is written whole or not at all (temporary file, fsync, rename).
 */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigurationError, canonicalJson, digestOf } from "@guard/core";
import * as z from "zod/mini";
import { type DeviceStore, keptRosterSchema, type ProfileId, profileSchema } from "./profile.ts";

/** Profiles in `directory`, one file each; made on first use. */
export function fileDeviceStore(directory: string): DeviceStore {
  const nameOf = (id: ProfileId) =>
    digestOf(canonicalJson([id.relay, id.app, id.identity]))
      .replaceAll(/[-_]/g, "0")
      .slice(0, 24);
  const profileFile = (id: ProfileId) => join(directory, `${nameOf(id)}.device.json`);
  const rosterFile = (id: ProfileId) => join(directory, `${nameOf(id)}.roster.json`);
  return {
    async list() {
      const names = await missingAs([], () => readdir(directory));
      const files = names.filter((name) => name.endsWith(".device.json")).sort();
      return Promise.all(files.map((name) => read(join(directory, name), profileSchema)));
    },
    async save(profile) {
      const { signing, encryption } = profile.secrets;
      if (typeof encryption !== "string" || (signing !== null && typeof signing !== "string")) {
        throw new ConfigurationError("A file keeps seeds only. Keep a browser's keys in openBrowserStore().");
      }
      await writePrivately(profileFile(profile), canonicalJson(profile), directory);
    },
    async remove(id) {
      await rm(profileFile(id), { force: true });
      await rm(rosterFile(id), { force: true });
    },
    roster: (id) => ({
      load: () => missingAs(null, () => read(rosterFile(id), keptRosterSchema)),
      save: (entries) => writePrivately(rosterFile(id), canonicalJson(entries), directory),
    }),
  };
}

async function missingAs<T>(fallback: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return fallback;
    throw error;
  }
}

async function read<T>(file: string, schema: z.ZodMiniType<T>): Promise<T> {
  const text = await readFile(file, "utf8");
  try {
    return z.parse(schema, JSON.parse(text));
  } catch (cause) {
    // Neither the cause nor the text is named: both may hold the keys (secret-leak).
    throw new ConfigurationError(`${file} is damaged. Restore it, or remove it and enrol again.`, {
      cause: cause instanceof SyntaxError ? undefined : cause,
    });
  }
}

/** Writes a file that only its owner can read, whole or not at all. `directory` is made private too. */
export async function writePrivately(file: string, text: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const temporary = `${file}.${randomUUID()}.tmp`;
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
