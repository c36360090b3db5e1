/**
 * `guardToolNode`, instead of LangGraph's `ToolNode`: all calls of a turn are submitted at once; those that need
 * nobody run at once; while people decide on others, the node interrupts once, naming all that are open.
 *
 * Guarantees: each call has its own outcome, in any order (sibling-loss, positional-mismatch); what has ended is
 * kept by LangGraph and neither run nor asked again when the node starts again from its top; a resume value
 * decides nothing (self-approval-by-model). It is a ToolNode, so what a tool gives and how it fails looks the same.
 */
import { ConfigurationError, type Guard, type Json } from "@guard/core";
import { attempt, checkToolOptions } from "@guard/core/plugin";
import { type AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import type { StructuredToolInterface } from "@langchain/core/tools";
import {
  Command,
  GraphInterrupt,
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
import { interruptValue, type WaitingCall } from "./interrupt.ts";
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

const own = ["name", "tags", "handleToolErrors"] as const;
const known = ["guard", "tools", "mode", "requester", "facts", "ungated", ...own];

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardToolNode(options: GuardToolNodeOptions): ToolNode {
  const { tools, mode = "suspend", name, tags, handleToolErrors, ...gate } = options;
  checkToolOptions("guardToolNode", options, { known, tools: namesOf("guardToolNode", tools) });
  const rest = given({ name, tags, handleToolErrors });
  if (mode !== "suspend" && mode !== "wait") {
    throw new ConfigurationError(`guardToolNode: mode is "suspend" or "wait", not ${String(mode)}.`);
  }
  if (mode === "suspend") return new SuspendingToolNode(options, rest);
  return new ToolNode(guardTools(tools, gate) as StructuredToolInterface[], rest);
}

type Output = ToolMessage | Command;

/**
 * What came of one attempt, as LangGraph keeps it: a node's update in shape, because a stream of updates shows it.
 * Commands lose their class in a checkpoint, and some of their members.
 */
interface Step {
  readonly messages: readonly ToolMessage[];
  readonly command?: ConstructorParameters<typeof Command>[0];
  readonly open?: WaitingCall;
  readonly edited?: Json;
}

/** One start of the node: what has become of its calls so far. */
interface Turn {
  readonly input: unknown;
  readonly thread: string;
  readonly ended: Map<ToolCall, Output>;
  /** What approvers wrote, by the call's id. */
  readonly edits: Map<string, Json>;
  /** Calls whose tool interrupted the graph itself. */
  readonly interrupted: Map<ToolCall, GraphInterrupt>;
  open: WaitingCall[];
  wake: unknown;
}

const turns = new WeakMap<object, Turn>();
const nowhere: Gate = async () => {
  throw new ConfigurationError(
    "A tool of guardToolNode runs inside of its node only. Use guardTools elsewhere.",
  );
};

class SuspendingToolNode extends ToolNode {
  readonly #options: GuardToolNodeOptions;
  readonly #guarded = new Map<string, readonly [StructuredToolInterface, PinnedTool]>();

  constructor(options: GuardToolNodeOptions, rest: ToolNodeOptions) {
    const guarded = new Map<string, readonly [StructuredToolInterface, PinnedTool]>();
    // The tools that others find on the node run nothing: only the node itself has the real ones.
    const shown = options.tools.map((tool) => {
      if (options.ungated?.includes(nameOf(tool))) return tool as StructuredToolInterface;
      const each = gateable("guardToolNode", tool);
      guarded.set(each[0].name, each);
      return gated(each[0], nowhere);
    });
    super(shown, rest);
    this.#options = options;
    this.#guarded = guarded;
  }

  protected override async run(input: unknown, given: LangGraphRunnableConfig) {
    const config = { ...given };
    const turn: Turn = {
      input,
      thread: pausableThread("guardToolNode", config),
      ended: new Map(),
      edits: new Map(),
      interrupted: new Map(),
      open: [],
      wake: undefined,
    };
    turns.set(config, turn);
    for (;;) {
      const before = turn.ended.size;
      turn.open = [];
      const output: unknown = await super.run(input, config);
      if (turn.open.length > 0) {
        // While others ran, somebody may have answered. Nobody would wake the run for that, so it looks again.
        if (turn.ended.size === before) turn.wake = pause(turn);
      } else if (turn.interrupted.size > 0) {
        throw interruptOf([...turn.interrupted.values()]);
      } else {
        return shown(input, output, rewritten(input, turn.edits));
      }
    }
  }

  protected override async runTool(call: ToolCall, config: LangGraphRunnableConfig, state: unknown) {
    const turn = turns.get(config);
    if (!turn)
      throw new ConfigurationError(
        "guardToolNode does not work with this version of LangGraph: its ToolNode runs tools in another way.",
      );
    const ended = turn.ended.get(call);
    if (ended) return ended;
    if (turn.interrupted.has(call)) return unused(call);
    // LangGraph keeps what a task has returned, so that it is not done again when the node is. The name sets the
    // calls apart where a retry has shifted their order; what it may consist of is LangGraph's rule.
    const name = `${call.name}_${placeOf(call, turn.input).id}`.replaceAll(/[^\w-]/g, "_");
    try {
      const step = await task(name, () => this.#step(turn, call, config, state))();
      if (step.open) {
        turn.open.push(step.open);
        return unused(call);
      }
      const output = step.command ? new Command(step.command) : (step.messages[0] as ToolMessage);
      turn.ended.set(call, output);
      if (step.edited !== undefined && call.id !== undefined) turn.edits.set(call.id, step.edited);
      return output;
    } catch (error) {
      if (!isGraphInterrupt(error)) throw error;
      turn.interrupted.set(call, error);
      return unused(call);
    }
  }

  /** One attempt at a call, as ToolNode would run it, with the gate in the tool. */
  async #step(turn: Turn, call: ToolCall, config: LangGraphRunnableConfig, state: unknown): Promise<Step> {
    const { guard, requester, facts } = this.#options;
    const guarded = this.#guarded.get(call.name);
    let open: WaitingCall | undefined;
    let edited: Json | undefined;
    const gate: Gate = async ({ args, run }) => {
      const [, pinned] = guarded as readonly [StructuredToolInterface, PinnedTool];
      const place = placeOf(call, turn.input);
      const callId = call.id ?? null;
      const action = actionOf(pinned, args, { callId, session: turn.thread, requester, facts });
      const key = callKey(config, place);
      const tried = await attempt(
        guard,
        action,
        (execution) => {
          edited = editedArgs(args, execution.args);
          return run(execution);
        },
        { wake: turn.wake, ...(key === undefined ? {} : { key }) },
      );
      if (tried.status === "ran") return tried.result;
      if (tried.status === "denied") return deniedMessage(call, tried.error);
      open = {
        request: tried.requestId,
        tool: call.name,
        args: call.args,
        callId,
        expiresAt: tried.expiresAt,
      };
      return unused(call);
    };
    // The same node, with this call's tool alone.
    const tools = { value: guarded ? [gated(guarded[0], gate)] : this.tools };
    const output = await super.runTool.call(Object.create(this, { tools }), call, getConfig(), state);
    if (open) return { messages: [], open };
    const kept = edited === undefined ? {} : { edited };
    if (!isCommand(output)) return { messages: [output], ...kept };
    const { graph, update, resume, goto } = output;
    return { messages: [], command: given({ graph, update, resume, goto }), ...kept };
  }
}

/** Without what was left out, which some optional members may not hold. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}

/** In place of what is not there yet. It never leaves the node. */
const unused = ({ id = "" }: ToolCall) => new ToolMessage({ content: "", tool_call_id: id });

/** Interrupts for all that is open; returns what the run was resumed with, which decides nothing. */
function pause(turn: Turn): unknown {
  try {
    return interrupt(interruptValue(turn.open));
  } catch (error) {
    throw isGraphInterrupt(error) ? interruptOf([error, ...turn.interrupted.values()]) : error;
  }
}

/** One for all: LangGraph shows those that the node itself throws, and only them. */
const interruptOf = (each: readonly GraphInterrupt[]) =>
  new GraphInterrupt(each.flatMap(({ interrupts }) => interrupts));

/** A ToolNode's output together with the AI message that shows edited arguments. */
function shown(input: unknown, output: unknown, message: AIMessage | null): unknown {
  if (message === null) return output;
  const plain = !Array.isArray(output) || !output.some(isCommand);
  if (Array.isArray(input)) return [plain ? message : [message], ...(output as unknown[])];
  if (!plain) return [{ messages: [message] }, ...(output as unknown[])];
  return { messages: [message, ...(output as { messages: readonly BaseMessage[] }).messages] };
}
