/**
 * `guardToolNode`, instead of LangGraph's `ToolNode`: all calls of a turn are submitted at once; those that need
 * nobody run at once; while people decide on others, the node interrupts once, naming all that are open.
 *
 * Guarantees: each call has its own outcome, in any order (sibling-loss, positional-mismatch); what has ended is
 * kept by LangGraph and neither run nor asked again when the node starts again from its top; a resume value
 * decides nothing (self-approval-by-model). It is a ToolNode, so what a tool gives and how it fails looks the same.
 */
import { ConfigurationError, type Execution, type Guard, isPassing, type Json } from "@guard/core";
import { attempt, checkToolOptions } from "@guard/core/plugin";
import { type AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import type { StructuredToolInterface } from "@langchain/core/tools";
import {
  Command,
  type GraphInterrupt,
  getConfig,
  interrupt,
  isCommand,
  isGraphInterrupt,
  type LangGraphRunnableConfig,
  task,
} from "@langchain/langgraph";
import { ToolNode, type ToolNodeOptions } from "@langchain/langgraph/prebuilt";
import { actionOf, callKey, deniedMessage, type PinnedTool, type ToolFacts } from "./call.ts";
import { type Gate, gated } from "./gated.ts";
import { type AnyTool, gateable, guardTools, nameOf, namesOf } from "./guard-tools.ts";
import { editedArgs, placeOf, rewritten } from "./history.ts";
import { interruptValue } from "./interrupt.ts";
import { type CommandMembers, kept, membersOf } from "./keep.ts";
import { merged } from "./merged.ts";
import { pausableThread } from "./suspend.ts";

export interface GuardToolNodeOptions extends ToolNodeOptions {
  readonly guard: Guard;
  readonly tools: readonly AnyTool[];
  /** `suspend` (default): the run pauses and the process may go away. `wait`: the node waits, without a checkpointer. */
  readonly mode?: "suspend" | "wait";
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string;
  /** What a call means beside its arguments, by the tool's name. */
  readonly facts?: ToolFacts;
  /** Tools that run without the guard, by name. */
  readonly ungated?: readonly string[];
}

const who = "guardToolNode";
const own = ["name", "tags", "handleToolErrors"] as const;
const known = ["guard", "tools", "mode", "requester", "facts", "ungated", ...own];

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardToolNode(options: GuardToolNodeOptions): ToolNode {
  const { tools, mode = "suspend", name, tags, handleToolErrors, ...gate } = options;
  checkToolOptions(who, options, { known, tools: namesOf(who, tools) });
  const rest = given({ name, tags, handleToolErrors });
  if (mode === "suspend") return new SuspendingToolNode(options, rest);
  return new ToolNode(guardTools(tools, gate) as StructuredToolInterface[], rest);
}

type Output = ToolMessage | Command;
type Guarded = readonly [StructuredToolInterface, PinnedTool];

/**
 * How a call ended, as LangGraph keeps it: a node's update in shape, because a stream of updates shows it. Commands
 * lose their class in a checkpoint, and some of their members. Errors of a tool are told by value, because LangGraph
 * ends the run for a task that throws, whatever the node makes of it.
 */
interface Ended {
  readonly messages: readonly ToolMessage[];
  readonly command?: CommandMembers;
  readonly edited?: Json;
  readonly failed?: true;
}

/** One visit of the node; starts of it that LangGraph repeats in this process share it. */
interface Turn {
  readonly task: string;
  readonly ended: Map<ToolCall, Output>;
  /** What approvers wrote, by the call's id. */
  readonly edits: Map<string, Json>;
}

/** One start of the node. */
interface Start extends Turn {
  readonly input: unknown;
  readonly thread: string;
  /** The calls of this start in their order, with what paused them. */
  readonly paused: Map<ToolCall, GraphInterrupt | null>;
  /** Calls that still run. Where others wait for people, those look once more when all have ended. */
  busy: number;
  readonly quiet: PromiseWithResolvers<void>;
}

class SuspendingToolNode extends ToolNode {
  readonly #options: GuardToolNodeOptions;
  readonly #guarded: ReadonlyMap<string, Guarded>;
  readonly #turns = new WeakMap<object, Turn>();
  readonly #starts = new WeakMap<object, Start>();

  constructor(options: GuardToolNodeOptions, rest: ToolNodeOptions) {
    const guarded = new Map<string, Guarded>();
    // The tools that others find on the node run nothing: only the node itself has the real ones.
    const shown = options.tools.map((tool) => {
      if (options.ungated?.includes(nameOf(tool))) return tool as StructuredToolInterface;
      const each = gateable(who, tool);
      guarded.set(each[0].name, each);
      return gated(each[0], nowhere);
    });
    super(shown, rest);
    this.#options = options;
    this.#guarded = guarded;
  }

  protected override async run(input: unknown, given: LangGraphRunnableConfig) {
    const thread = pausableThread(who, given);
    const config = { ...given };
    const start: Start = {
      ...this.#turn(input as object, config.executionInfo?.taskId ?? ""),
      input,
      thread,
      paused: new Map(),
      busy: 0,
      quiet: Promise.withResolvers(),
    };
    this.#starts.set(config, start);
    const output: unknown = await super.run(input, config);
    const paused = [...start.paused.values()].filter((each) => each !== null);
    if (paused.length > 0) throw merged(paused);
    return withMessage(input, output, rewritten(input, start.edits));
  }

  /** The same input is the same visit: LangGraph retries a node with it. */
  #turn(input: object, task: string): Turn {
    const before = this.#turns.get(input);
    if (before?.task === task) return before;
    const turn: Turn = { task, ended: new Map(), edits: new Map() };
    this.#turns.set(input, turn);
    return turn;
  }

  protected override async runTool(call: ToolCall, config: LangGraphRunnableConfig, state: unknown) {
    const start = this.#starts.get(config);
    if (!start) throw unknownToolNode();
    const before = start.ended.get(call);
    if (before) return before;
    start.busy++;
    start.paused.set(call, null);
    try {
      const { messages, command, edited } = await this.#kept(start, call, config, state);
      const output = command ? new Command(command) : (messages[0] as ToolMessage);
      start.ended.set(call, output);
      if (edited !== undefined && call.id !== undefined) start.edits.set(call.id, edited);
      return output;
    } catch (error) {
      if (!isGraphInterrupt(error)) throw error;
      start.paused.set(call, error);
      return new ToolMessage({ content: "", tool_call_id: call.id ?? "" }); // Never leaves the node.
    } finally {
      rest(start);
    }
  }

  /**
   * Runs a call in a task of its own. LangGraph keeps what a task has returned, so a call that has ended does not
   * run again when the node does; one that is paused has its own interrupt.
   */
  async #kept(start: Start, call: ToolCall, config: LangGraphRunnableConfig, state: unknown): Promise<Ended> {
    // The name sets calls apart where a retry has shifted their order; what it may consist of is LangGraph's rule.
    const place = placeOf(call, start.input);
    const name = `${call.name}_${place.id}`.replaceAll(/[^\w-]/g, "_");
    for (;;) {
      let thrown: { readonly error: unknown } | undefined;
      const ended = await task(name, async (): Promise<Ended> => {
        try {
          return await kept(config, place.id, () => this.#pass(start, call, config, state));
        } catch (error) {
          if (isGraphInterrupt(error)) throw error;
          thrown = { error };
          return { messages: [], failed: true };
        }
      })();
      if (thrown) throw thrown.error;
      if (!ended.failed) return ended; // Else it failed in an earlier run, which was tried again.
    }
  }

  /** A call as ToolNode runs it, with the gate in the tool. */
  async #pass(start: Start, call: ToolCall, config: LangGraphRunnableConfig, state: unknown): Promise<Ended> {
    const [tool, pinned] = this.#guarded.get(call.name) ?? [];
    let edited: Json | undefined;
    let fatal: { readonly error: unknown } | undefined;
    const gate: Gate = async ({ args, run }) => {
      const { guard, requester, facts } = this.#options;
      const place = placeOf(call, start.input);
      const callId = call.id ?? null;
      const action = actionOf(pinned as PinnedTool, args, {
        callId,
        session: start.thread,
        requester,
        facts,
      });
      const key = callKey(config, place);
      const execute = (execution: Execution) => {
        edited = editedArgs(args, execution.args);
        return run(execution);
      };
      let alone = start.busy === 1;
      for (let wake: unknown; ; ) {
        const tried = await attempt(guard, action, execute, { wake, ...(key === undefined ? {} : { key }) });
        if (tried.status === "ran") return tried.result;
        if (tried.status === "denied") {
          // What passes is for whoever resumes the run to wait out: told to the model, the call would be lost.
          if (!isPassing(tried.error) && tried.error.code !== "configuration")
            return deniedMessage(call, tried.error);
          fatal = tried;
          throw tried.error;
        }
        if (alone) {
          const { requestId: request, expiresAt } = tried;
          wake = interrupt(
            interruptValue([{ request, tool: call.name, args: call.args, callId, expiresAt }]),
          );
        } else {
          // Nobody would wake the run for what is answered before it is paused, and others may run for long.
          rest(start);
          await start.quiet.promise;
          start.busy++;
          alone = true;
        }
      }
    };
    // The same node, with this call's tool alone.
    const tools = { value: tool ? [gated(tool, gate)] : this.tools };
    const output = await super.runTool.call(Object.create(this, { tools }), call, getConfig(), state);
    if (fatal) throw fatal.error;
    const also = edited === undefined ? {} : { edited };
    if (!isCommand(output)) return { messages: [output], ...also };
    return { messages: [], command: membersOf(output), ...also };
  }
}

/** A call has ended, or waits for the others to end. */
function rest(start: Start): void {
  if (--start.busy === 0) start.quiet.resolve();
}

const nowhere: Gate = async () => {
  throw new ConfigurationError(`A tool of ${who} runs inside of its node only. Use guardTools elsewhere.`);
};

const unknownToolNode = () =>
  new ConfigurationError(
    `${who} does not know this version of LangGraph: its ToolNode runs tools in another way.`,
  );

/** A ToolNode's output together with the AI message that shows edited arguments. */
function withMessage(input: unknown, output: unknown, message: AIMessage | null): unknown {
  if (message === null) return output;
  const plain = !Array.isArray(output) || !output.some(isCommand);
  if (Array.isArray(input)) return [plain ? message : [message], ...(output as unknown[])];
  if (!plain) return [{ messages: [message] }, ...(output as unknown[])];
  return { messages: [message, ...(output as { messages: readonly BaseMessage[] }).messages] };
}

/** Without what was left out, which some optional members may not hold. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}
