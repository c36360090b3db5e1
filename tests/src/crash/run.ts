/**
 * One run: starts the processes of a plan, lets its fault happen, starts again what died, and ends when every agent
 * has ended its story. What it left is then read and judged.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Program } from "./bundle.ts";
import { problemsOf, unknownsOf } from "./checker.ts";
import { changeDisk, changeRights, mountDisk, unmountDisk } from "./disk.ts";
import type { Installation } from "./installation.ts";
import { type Plan, type Role, roles } from "./plan.ts";
import { type Exit, hostProcess, type Process, startProcess } from "./process.ts";
import { cannotGoOn } from "./roles/orders.ts";
import { readWorld, type World } from "./world.ts";

/** What all runs of one invocation share. */
export interface Grounds {
  readonly program: Program;
  readonly installation: Installation;
  /** Whether file systems can be mounted here. */
  readonly mounts: boolean;
  /** Runs lie below it. */
  readonly directory: string;
}

export interface Result {
  readonly plan: Plan;
  readonly problems: readonly string[];
  readonly effects: number;
  readonly unknowns: number;
  /** Processes that were killed, by themselves or from outside. */
  readonly killed: number;
  /** Processes that could not go on before their disk was mended. */
  readonly helped: number;
  /** How often a caller was told that relay or evidence cannot be used. */
  readonly refused: number;
}

const longest = 60_000;
const mostLives = 20;
const plenty = 16 * 1024;

export async function run(grounds: Grounds, plan: Plan, port: number): Promise<Result> {
  const { world, hung } = await leave(grounds, plan, port);
  return {
    plan,
    problems: [...hung, ...(await problemsOf(world))],
    effects: world.effects.length,
    unknowns: await unknownsOf(world),
    killed: world.exits.filter(({ signal, by }) => signal === "SIGKILL" && by !== "end").length,
    helped: world.exits.filter(({ code }) => code === cannotGoOn).length,
    refused: world.told.filter(({ end }) => end === "unavailable").length,
  };
}

/** Where a run is. */
export const placeOf = ({ directory }: Grounds, { seed, fault }: Plan) =>
  join(directory, `run-${seed}-${fault}`);

/** Plays a run and reads what it left, without judging it. */
export async function leave(
  grounds: Grounds,
  plan: Plan,
  port: number,
): Promise<{ world: World; hung: readonly string[] }> {
  const directory = placeOf(grounds, plan);
  rmSync(directory, { recursive: true, force: true });
  for (const name of ["relay", "agent", "journal", "clock"])
    mkdirSync(join(directory, name), { recursive: true });
  const mounted = plan.disk?.how === "full" || (plan.disk?.how === "read-only" && grounds.mounts);
  const disk = plan.disk && mounted ? join(directory, plan.disk.role) : null;
  if (disk !== null) mountDisk(disk, plenty);
  try {
    const connection = await grounds.installation.copy(directory, `http://127.0.0.1:${port}`);
    const { exits, hung } = await play(plan, { ...grounds, directory, connection, port });
    return { world: await readWorld(plan, directory, grounds.installation, exits), hung };
  } finally {
    if (disk !== null) {
      // What was on it stays with the run.
      cpSync(disk, `${disk}.kept`, { recursive: true });
      unmountDisk(disk);
    }
  }
}

interface Stage extends Grounds {
  readonly connection: string;
  readonly port: number;
}

/** Plays the story to its end; afterwards no process of it is left. */
async function play(plan: Plan, stage: Stage): Promise<{ exits: readonly Exit[]; hung: string[] }> {
  const { directory, connection, port } = stage;
  const { disk } = plan;
  const exits: Exit[] = [];
  const running = new Set<Process>();
  const timers = new Set<NodeJS.Timeout>();
  const ended = new AbortController();

  function later(ms: number, work: () => void): void {
    if (!ended.signal.aborted) timers.add(setTimeout(work, ms));
  }

  function setClock(role: Role, offset: number): void {
    const file = join(directory, "clock", role);
    writeFileSync(`${file}.next`, String(offset));
    renameSync(`${file}.next`, file);
  }

  function start(role: Role, number: number, life: number): Process {
    const name = `${role}-${number}.${life}`;
    const death = number === 1 ? (plan.deaths[role][life] ?? null) : null;
    const own = join(directory, role);
    const limited = disk?.how === "limit" && disk.role === role && life === 0;
    const orders = {
      name,
      plan,
      death,
      connection,
      port,
      database: join(own, "relay.db"),
      directory: own,
      journal: join(directory, "journal"),
      clock: join(directory, "clock", role),
    };
    const child = plan.real.includes(role)
      ? startProcess({
          program: stage.program,
          role,
          orders,
          logs: join(directory, "logs"),
          largestFile: limited ? disk.room : null,
        })
      : hostProcess(role, orders);
    running.add(child);
    if (death && "after" in death) void child.begun.then(() => later(death.after, child.kill));
    if (disk?.role === role && life === 0)
      void child.begun.then(() => later(disk.after, () => duringLife(child)));
    return child;
  }

  /** What the plan does to a disk while its first process lives. */
  function duringLife(child: Process): void {
    const own = join(directory, disk?.role as string);
    if (disk?.how === "vanish") {
      const evidence = join(own, "evidence");
      if (existsSync(evidence)) renameSync(evidence, join(own, "gone"));
      else later(5, () => duringLife(child));
    }
    if (disk?.role !== "relay") return;
    // A relay with a full disk says that it failed, and goes on: room may come while it lives, or with a restart.
    if (disk.how === "full") changeDisk(own, { room: plenty });
    if (disk.how === "limit" || (disk.how === "full" && plan.seed % 2 === 0)) child.kill();
  }

  /** What happens to a disk before a life. */
  function beforeLife(role: Role, life: number): void {
    if (disk?.role !== role) return;
    const own = join(directory, role);
    if (disk.how === "full") changeDisk(own, { room: life === 0 ? sizeOf(own) + disk.room : plenty });
    const change = stage.mounts ? changeDisk : changeRights;
    if (disk.how === "read-only" && life > 0) change(own, life === 1 ? "ro" : "rw");
  }

  /** Starts a process again and again until it ends by itself; `begun` is told when the first one has begun. */
  async function live(role: Role, number: number, begun: () => void = () => {}): Promise<void> {
    for (let life = 0; life < mostLives; life++) {
      beforeLife(role, life);
      const child = start(role, number, life);
      void child.begun.then(begun);
      const exit = await child.ended;
      running.delete(child);
      exits.push(exit);
      if (ended.signal.aborted || (exit.signal === null && exit.code !== cannotGoOn)) return;
    }
    throw new Error(`${role}-${number} does not come to an end.`);
  }

  const hung: string[] = [];
  const lives: Promise<void>[] = [];
  try {
    for (const role of roles) setClock(role, 0);
    const serving = Promise.withResolvers<void>();
    lives.push(live("relay", 1, serving.resolve));
    await Promise.race([serving.promise, ...lives]);
    lives.push(live("device", 1));
    for (const { after, role, offset } of plan.jumps)
      later(after, () => {
        for (const one of role === null ? roles : [role]) setClock(one, offset);
      });
    const agents = Array.from({ length: plan.agents }, (_, n) => live("agent", n + 1));
    const hang = new Promise<void>((resolve) =>
      later(longest, () => {
        hung.push(`end: nothing came to an end in ${longest / 1000} s`);
        resolve();
      }),
    );
    // A relay or device that ends by itself ends the story too: the checker says what is wrong with that.
    const told = Promise.race([Promise.all(agents), hang, ...lives]);
    lives.push(...agents);
    await told;
  } finally {
    ended.abort();
    for (const timer of timers) clearTimeout(timer);
    for (const child of running) child.end();
    await Promise.allSettled(lives);
  }
  return { exits, hung };
}

/** KiB of the files in a directory. */
function sizeOf(directory: string): number {
  const files = readdirSync(directory);
  return files.reduce((sum, file) => sum + Math.ceil(statSync(join(directory, file)).size / 1024), 0);
}
