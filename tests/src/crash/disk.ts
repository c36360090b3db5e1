/** Small file systems of a run's own (Linux, as root), which can be full, grow, and become read-only. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const mounted = new Set<string>();
process.once("exit", () => {
  for (const directory of mounted) unmountDisk(directory);
});

function run(...command: [string, ...string[]]): string | null {
  const { status, stderr, error } = spawnSync(command[0], command.slice(1), { encoding: "utf8" });
  if (error) return error.message;
  return status === 0 ? null : stderr.trim();
}

/** Why no file systems can be mounted here; null where they can. */
export function whyNoMounts(directory: string): string | null {
  const place = mkdtempSync(join(directory, "mount-"));
  const why = run("mount", "-t", "tmpfs", "-o", "size=64k", "guard-crash", place);
  if (why === null) run("umount", place);
  rmSync(place, { recursive: true });
  return why;
}

/** Mounts a file system of `room` KiB over `directory`. */
export function mountDisk(directory: string, room: number): void {
  mkdirSync(directory, { recursive: true });
  const why = run("mount", "-t", "tmpfs", "-o", `size=${room}k`, "guard-crash", directory);
  if (why !== null) throw new Error(`mount: ${why}`);
  mounted.add(directory);
}

/** Gives it more room, or makes it read-only or writable. Read-only only while nobody writes to it. */
export function changeDisk(directory: string, how: { room: number } | "ro" | "rw"): void {
  const option = typeof how === "string" ? how : `size=${how.room}k`;
  const why = run("mount", "-o", `remount,${option}`, directory);
  if (why !== null) throw new Error(`mount -o remount,${option}: ${why}`);
}

/** Takes the right to write from files and directories, or gives it back: for users other than root. */
export function changeRights(directory: string, how: "ro" | "rw"): void {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const [whole, file] = how === "ro" ? [0o500, 0o400] : [0o700, 0o600];
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? whole : file);
  }
  chmodSync(directory, how === "ro" ? 0o500 : 0o700);
}

export function unmountDisk(directory: string): void {
  run("umount", "-l", directory);
  mounted.delete(directory);
}
