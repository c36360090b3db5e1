/**
 * The newest roster in a file (Node), so that a restarted process does not start from an older one
 * (stale-roster). What is read is judged again entry by entry; the file only saves a fetch and a step back.
 */

import * as z from "zod/mini";
import { canonicalJson } from "../action/canonical.ts";
import { type Signed, signedSchema } from "../crypto/signed.ts";
import { ConfigurationError, UnavailableError } from "../errors.ts";
import { replaceFile } from "../evidence/file.ts";
import { fileSystem } from "../evidence/lines.ts";
import type { RosterStore } from "./follower.ts";

export function fileRoster(file: string): RosterStore {
  return {
    async load() {
      const { fs } = fileSystem();
      let text: string;
      try {
        text = await fs.readFile(file, "utf8");
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw new UnavailableError(`The roster file ${file} cannot be read.`, { cause });
      }
      return parse(text, file);
    },
    async save(entries) {
      const { fs, path } = fileSystem();
      try {
        await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        await replaceFile(file, canonicalJson(entries));
      } catch (cause) {
        throw new UnavailableError(`The roster file ${file} cannot be written.`, { cause });
      }
    },
  };
}

function parse(text: string, file: string): readonly Signed[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = z.safeParse(z.array(signedSchema), value);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(`The roster file ${file} is damaged. Remove it; the roster is fetched again.`);
}
