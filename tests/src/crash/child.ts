// One role as a process of its own: its name and its orders are the arguments, "ready" on stdout says that it has
// begun, SIGTERM that the story is over.
import type { Role } from "./plan.ts";
import type { Orders, Play } from "./roles/orders.ts";

const roles: Readonly<Record<Role, () => Promise<Play>>> = {
  agent: async () => (await import("./roles/agent.ts")).agent,
  device: async () => (await import("./roles/device.ts")).device,
  relay: async () => (await import("./roles/relay.ts")).relay,
};

const [role, text] = process.argv.slice(2);
const play = await roles[role as Role]();
// Without orders it only loads, for the compile cache.
if (text === undefined) process.exit(0);
const over = new AbortController();
process.once("SIGTERM", () => over.abort());
const begun = () => process.stdout.write("ready\n");
process.exit(await play(JSON.parse(text) as Orders, { begun, over: over.signal }));
