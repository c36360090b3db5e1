/** A relay as a process of its own: a SQLite file, a free port on loopback; says over IPC what it uses. */
import { createRelay, type RelayOptions, serveRelay } from "@guard/relay";

export interface Usage {
  /** Bytes. */
  readonly rss: number;
  /** Microseconds of processor time since the process began. */
  readonly cpu: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as RelayOptions;
const relay = await createRelay({ ...options, logger: false });
const served = await serveRelay(relay);
process.on("message", (message) => {
  if (message === "collect") globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const usage: Usage = { rss: process.memoryUsage.rss(), cpu: user + system };
  process.send?.(usage);
});
// Nothing that is measured outlives whoever measures.
process.on("disconnect", () => process.exit(0));
process.send?.(served.url);
