/**
 * The state directory (`.guard/`): what the owner and this terminal's devices keep between commands.
 *
 *     owner.json   relay, app, the owner's token      root.key     the root key, under a passphrase
 *     roster.json  the newest roster seen             devices/     this terminal's devices
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigurationError, canonicalJson, type RosterStore, type Signed, signedSchema } from "@guard/core";
import type { DeviceStore } from "@guard/device";
import { fileDeviceStore, writePrivately } from "@guard/device/node";
import * as z from "zod/mini";

/** What the owner's commands need beside the root key. */
export interface OwnerFile {
  readonly version: 1;
  readonly relay: string;
  readonly app: string;
  /** Bearer token of the owner: lets entries be posted, signs nothing. */
  readonly token: string;
}

const ownerSchema: z.ZodMiniType<OwnerFile> = z.strictObject({
  version: z.literal(1),
  relay: z.string(),
  app: z.string(),
  token: z.string(),
});

export interface Home {
  readonly directory: string;
  readonly rootKeyFile: string;
  readonly devices: DeviceStore;
  readonly roster: RosterStore;
  /** @throws ConfigurationError where no app was set up here. */
  owner(): Promise<OwnerFile>;
  hasOwner(): Promise<boolean>;
  saveOwner(owner: OwnerFile): Promise<void>;
}

/** The state directory: `directory`, else GUARD_HOME, else `.guard` here. Nothing is made until it is needed. */
export function openHome(directory?: string): Home {
  const root = resolve(directory ?? process.env.GUARD_HOME ?? ".guard");
  const file = (name: string) => join(root, name);
  const readOwner = () => readJson(file("owner.json"), ownerSchema);
  return {
    directory: root,
    rootKeyFile: file("root.key"),
    devices: fileDeviceStore(file("devices")),
    roster: {
      load: () => readJson(file("roster.json"), z.array(signedSchema)),
      save: (entries) => writePrivately(file("roster.json"), canonicalJson(entries), root),
    },
    async owner() {
      const owner = await readOwner();
      if (owner) return owner;
      throw new ConfigurationError(
        `No app was set up in ${root}. Run "guard init --relay URL" first, or name its directory with --home.`,
      );
    },
    hasOwner: async () => (await readOwner()) !== null,
    saveOwner: (owner) => writePrivately(file("owner.json"), canonicalJson(owner), root),
  };
}

/** Roster entries from a file that `guard roster --out` wrote. @throws ConfigurationError */
export async function readRosterFile(file: string): Promise<readonly Signed[]> {
  const entries = await readJson(file, z.array(signedSchema));
  if (!entries)
    throw new ConfigurationError(`There is no roster file ${file}. "guard roster --out FILE" writes one.`);
  return entries;
}

/** The file's value, or null where there is no file. @throws ConfigurationError where it is damaged. */
export async function readJson<T>(file: string, schema: z.ZodMiniType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // Refused by the schema, like every other damage.
  }
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(`${file} is damaged. Restore it from a copy.`);
}
