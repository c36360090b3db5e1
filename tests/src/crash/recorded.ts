/** What the evidence of a run says: which tools were started, on what, and whether their end is known. */
import { type EventEnvelope, parseCheckpoint, readLine, verifyChain } from "@guard/core";
import type { World } from "./world.ts";

/** What is recorded about one run of a tool. */
export interface Run {
  readonly file: string;
  readonly allowed: EventEnvelope | null;
  finished: boolean;
}

export interface Recorded {
  /** By execution id. */
  readonly runs: ReadonlyMap<string, Run>;
  readonly problems: readonly string[];
}

const known = new WeakMap<World, Promise<Recorded>>();

/** Verifies every chain of a world, and reads from them what ran. */
export function recorded(world: World): Promise<Recorded> {
  const found = known.get(world) ?? readRuns(world);
  known.set(world, found);
  return found;
}

async function readRuns(world: World): Promise<Recorded> {
  const runs = new Map<string, Run>();
  const problems: string[] = [];
  for (const { file, lines, checkpoint } of world.chains) {
    // A process that died before its first line was whole leaves an empty file.
    if (lines.length === 0 && checkpoint === null) continue;
    const kept = checkpoint === null ? null : parseCheckpoint(checkpoint);
    const report = await verifyChain(lines, { roster: world.roster, checkpoint: kept });
    problems.push(...report.problems.map((why) => `chain: ${file}: ${why}`));
    const here = new Map<string, Run>();
    const allowed = new Map<string, EventEnvelope>();
    for (const event of lines.map(readLine)) {
      const { call, execution_id: execution } = event.payload as { call: string; execution_id: string };
      if (event.event_type === "TOOL_CALL_ALLOWED") allowed.set(call, event);
      if (event.event_type === "TOOL_CALL_EXECUTED") {
        if (runs.has(execution))
          problems.push(`double-execution: ${execution} was started twice, in ${file}`);
        const run = { file, allowed: allowed.get(call) ?? null, finished: false };
        runs.set(execution, run);
        here.set(execution, run);
      }
      const run = here.get(execution);
      if (event.event_type === "TOOL_RESULT" && run) run.finished = true;
    }
    const unfinished = [...here.values()].filter(({ finished }) => !finished).length;
    if (report.calls.unknown !== unfinished)
      problems.push(
        `uncertain: ${file}: ${unfinished} runs have no result, the verifier says ${report.calls.unknown}`,
      );
    for (const { request, executed, by } of report.requests)
      if (executed && by.length === 0)
        problems.push(`act-without-log: nobody's statements are for ${request}`);
  }
  return { runs, problems };
}
