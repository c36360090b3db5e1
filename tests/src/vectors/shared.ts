/** What the readers of the vectors share. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isGuardError, type Roster, readRoster, type Signed } from "@guard/core";

export const root = join(import.meta.dirname, "../../..");
export const directory = join(root, "vectors/guard-v1");

export interface Case {
  readonly name: string;
}

/** The files are ours, and every member that a reader takes is used: a wrong shape fails the case. */
export function load<T>(file: string): T & { readonly description: string } {
  return JSON.parse(readFileSync(join(directory, file), "utf8")) as T & { readonly description: string };
}

/** Whether `work` does not throw; errors that are not Guard's are not swallowed. */
export async function taken(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isGuardError(error)) return false;
    throw error;
  }
}

let whole: Promise<Roster> | undefined;

/** The roster of rosters.json with entry `seq` as its head. */
export async function rosterAt(seq: number): Promise<Roster> {
  const { app, chain } = load<{ app: string; chain: Signed[] }>("rosters.json");
  whole ??= readRoster(chain, { app });
  return (await whole).at(seq);
}
