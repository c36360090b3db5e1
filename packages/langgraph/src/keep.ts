/**
 * What has ended in a step of a nested graph. LangGraph keeps that for the outermost graph only: up to 1.4 it starts
 * the ended tasks of a nested graph again whenever the run is resumed, and what people approved must not, and
 * cannot, run again. So it is stored with the same checkpoint, by the checkpointer's own means.
 *
 * Guarantee: what has ended gives the same again for as long as its step is not left.
 */
import { canonicalJson, digestOf, fromBase64url } from "@guard/core";
import {
  type BaseCheckpointSaver,
  Command,
  isCommand,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";
import { namespaceOf } from "./call.ts";

const channel = "guard:ended";
const loaded = new WeakMap<object, Promise<ReadonlyMap<string, unknown>>>();

/** The result of `run`; where it has ended in an earlier start of this step, what it gave then. `id` is unique in the step. */
export async function kept<R>(
  config: LangGraphRunnableConfig,
  id: string,
  run: () => Promise<R>,
): Promise<R> {
  const info = config.executionInfo;
  const namespace = namespaceOf(config);
  const saver: BaseCheckpointSaver | undefined = config.configurable?.__pregel_checkpointer;
  if (namespace === "" || !saver || !info) return run();
  const at = {
    configurable: { thread_id: info.threadId, checkpoint_ns: namespace, checkpoint_id: info.checkpointId },
  };
  const ended = loaded.get(config) ?? load(saver, at);
  loaded.set(config, ended);
  const task = taskOf(info.taskId, id);
  const before = (await ended).get(task);
  if (before !== undefined) return unpacked(before) as R;
  const result = await run();
  await saver.putWrites(at, [[channel, packed(result)]], task);
  return result;
}

async function load(saver: BaseCheckpointSaver, at: object): Promise<ReadonlyMap<string, unknown>> {
  const tuple = await saver.getTuple(at);
  const writes = tuple?.pendingWrites ?? [];
  return new Map(writes.filter(([, of]) => of === channel).map(([task, , value]) => [task, value]));
}

/** A task of our own, in the form of LangGraph's ids: some databases take no other. */
function taskOf(task: string, id: string): string {
  const bytes = fromBase64url(digestOf(canonicalJson([channel, task, id])));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

export type CommandMembers = ConstructorParameters<typeof Command>[0];

/** What a Command says: in a checkpoint it loses its class, and one of its members. */
export function membersOf({ graph, update, resume, goto }: Command): CommandMembers {
  const members = Object.entries({ graph, update, resume, goto });
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

function packed(result: unknown): { command: CommandMembers } | { value: unknown } {
  return isCommand(result) ? { command: membersOf(result) } : { value: result };
}

function unpacked(stored: unknown): unknown {
  const { command, value } = stored as { command?: CommandMembers; value?: unknown };
  return command ? new Command(command) : value;
}
