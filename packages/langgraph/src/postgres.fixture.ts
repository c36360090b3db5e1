// A PostgreSQL server of the tests' own: in a directory that goes with them, on a Unix socket, as a user without
// rights. Where the programs are missing they are installed, by root on Debian; elsewhere the test is skipped.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll } from "vitest";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let server: Promise<((database: string) => Promise<string>) | null> | undefined;
let databases = 0;

/** The URL of a new database; null where there is no PostgreSQL and it cannot be installed. */
export async function postgres(): Promise<string | null> {
  server ??= startServer();
  const create = await server;
  return create === null ? null : create(`guard_${++databases}`);
}

async function startServer() {
  const bin = await programs();
  if (bin === null) return null;
  const directory = mkdtempSync(join(tmpdir(), "guard-pg-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  // PostgreSQL refuses to run as root.
  const user = isRoot ? await nobody() : null;
  if (user) chownSync(directory, user.uid, user.gid);
  const options = { ...user, cwd: directory };
  const data = join(directory, "data");
  await run(join(bin, "initdb"), ["-D", data, "-U", "guard", "--auth=trust", "--no-sync"], options);
  const child = spawn(
    join(bin, "postgres"),
    ["-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"],
    { ...options, stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(child, "exit");
  cleanups.push(async () => {
    child.kill("SIGINT"); // Its fast way to end.
    await ended;
  });
  const log: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      if (line.includes("ready to accept connections")) resolve();
    });
    child.on("exit", () => reject(new Error(`PostgreSQL did not start:\n${log.join("\n")}`)));
  });
  return async (database: string) => {
    await run(join(bin, "createdb"), ["-h", directory, "-U", "guard", database], options);
    return `postgresql://guard@localhost/${database}?host=${encodeURIComponent(directory)}`;
  };
}

/** Where the server's programs are. */
async function programs(): Promise<string | null> {
  const found = find();
  if (found !== null || !isRoot || !has("apt-get")) return found;
  const install = () =>
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "postgresql"], {
      // Its package would start a server of its own.
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
  await install().catch(async () => {
    await run("apt-get", ["update", "-qq"]);
    await install();
  });
  return find();
}

const path = () => (process.env.PATH ?? "").split(delimiter);
const has = (program: string) => path().some((each) => globSync(join(each, program)).length > 0);

function find(): string | null {
  const places = [...path(), ...globSync("/usr/lib/postgresql/*/bin").toSorted().reverse()];
  const complete = (place: string) =>
    ["initdb", "postgres", "createdb"].every((program) => globSync(join(place, program)).length > 0);
  return places.find((place) => place !== "" && complete(place)) ?? null;
}

async function nobody(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(["-u", "-g"].map((which) => run("id", [which, "nobody"])));
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
}
