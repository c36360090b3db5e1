/**
 * `guardAgent`: a Mastra agent whose every tool call goes through the guard.
 *
 * Two gates, one for each call. The agent's own tools are wrapped, so that nothing given with a call can switch
 * their gate off. What Mastra adds beside them (tools of memory, workspace, skills and browser, workflows, toolsets
 * of a call) can only be met in the hooks, and is; hooks of a call do not replace these (runtime-override).
 *
 * Guarantees: the user's own hooks run before the gate, so that what they change is what is asked; an agent that
 * hands work to one that is not guarded is refused (subagent-bypass).
 */
import { ConfigurationError, type Facts } from "@guard/core";
import { Agent, type AgentConfig, type ToolsInput } from "@mastra/core/agent";
import type { ToolHooks } from "@mastra/core/tools";
import { areGuarding, hooksFor, together } from "./guard-hooks.ts";
import { type GuardToolsOptions, guardTools } from "./guard-tools.ts";
import { callOptions, checkOptions } from "./options.ts";

export interface GuardAgentOptions<T extends ToolsInput> extends Omit<GuardToolsOptions<T>, "ungated"> {
  /**
   * Tools that run without the guard, by the name that the model calls them: also `agent-…`, `workflow-…` and
   * those that Mastra adds. Agents that are guarded themselves need not be listed.
   */
  readonly ungated?: readonly string[];
}

/** What Mastra makes of a function is known only when it is called; then it is checked, and the call fails. */
type Dynamic<V> = V | ((context: never) => V | Promise<V>);

const nameable = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

/**
 * A new agent. Its sub-agents have to be guarded themselves: made by this, or with `guardHooks`.
 * @throws ConfigurationError that says what to do.
 */
export function guardAgent<
  Id extends string = string,
  T extends ToolsInput = ToolsInput,
  Output = undefined,
  Context extends Record<string, unknown> | unknown = unknown,
>(config: AgentConfig<Id, T, Output, Context>, options: GuardAgentOptions<T>): Agent<Id, T, Output, Context> {
  const { facts, ungated = [], ...shared } = options;
  const { tools, agents, hooks } = config as {
    tools?: Dynamic<T>;
    agents?: Dynamic<object>;
    hooks?: ToolHooks;
  };
  checkOptions("guardAgent", options, {
    known: [...callOptions, "facts", "ungated"],
  });
  if (areGuarding(hooks)) {
    throw new ConfigurationError(
      "guardAgent: hooks are guardHooks already. Leave them out: guardAgent adds its own.",
    );
  }
  checkDefaults(config);
  const wrapped = new Set<string>();
  const delegating = new Set<string>();

  const wrapAll = (given: T): T => {
    for (const name of Object.keys(given)) {
      // Mastra would rename it, and the hooks would meet it as another tool.
      if (!nameable.test(name))
        throw new ConfigurationError(
          `guardAgent: Mastra does not keep ${JSON.stringify(name)} as the name of a tool. Use up to 63 letters, digits, _ and -.`,
        );
      if (!ungated.includes(name)) wrapped.add(name);
    }
    const own = ungated.filter((name) => Object.hasOwn(given, name));
    return guardTools(given, { ...shared, ...(facts ? { facts } : {}), ungated: own });
  };
  const checkAgents = (given: object): object => {
    for (const [name, agent] of Object.entries(given)) {
      const tool = `agent-${name}`;
      if (ungated.includes(tool)) continue;
      const { getConfiguredToolHooks } = agent as { getConfiguredToolHooks?: () => ToolHooks | undefined };
      if (!areGuarding(getConfiguredToolHooks?.call(agent))) {
        throw new ConfigurationError(
          `guardAgent: the sub-agent ${name} is not guarded, so its tools would run without asking. ` +
            `Make it with guardAgent too, or list ${tool} in ungated.`,
        );
      }
      delegating.add(tool);
    }
    return given;
  };

  const own = hooksFor(
    {
      ...shared,
      ...(facts ? { facts: facts as Readonly<Record<string, (input: never) => Facts>> } : {}),
      ungated,
    },
    (tool) => wrapped.has(tool) || delegating.has(tool),
  );
  const agent = new Agent({
    ...config,
    ...(tools === undefined ? {} : { tools: onEach(tools, wrapAll) }),
    ...(agents === undefined ? {} : { agents: onEach(agents, checkAgents) }),
    hooks: compose(hooks, own),
  } as AgentConfig<Id, T, Output, Context>);
  holdHooks(agent, (call) => compose(merged(hooks, call), own));
  return agent;
}

/**
 * Mastra lets the hooks of a call replace an agent's, and a call's options may come from a client: `{"hooks":
 * {"beforeToolCall": null}}` is JSON. There is no public way to keep ours, so the private one is taken.
 */
function holdHooks(agent: object, resolve: (call: ToolHooks | undefined) => ToolHooks): void {
  const name = "resolveToolHooks";
  if (typeof Reflect.get(agent, name) !== "function") {
    throw new ConfigurationError(
      "guardAgent: this version of Mastra chooses its hooks in a way that is not known here, so a call could switch the " +
        "guard off. Use one that @guard/mastra names in its peerDependencies, or a newer @guard/mastra.",
    );
  }
  Object.defineProperty(agent, name, { value: resolve });
}

/** Of the user's hooks those of a call replace those of the agent, as in Mastra. */
function merged(agent: ToolHooks | undefined, call: ToolHooks | undefined): ToolHooks {
  const beforeToolCall = call?.beforeToolCall ?? agent?.beforeToolCall;
  const afterToolCall = call?.afterToolCall ?? agent?.afterToolCall;
  return { ...(beforeToolCall ? { beforeToolCall } : {}), ...(afterToolCall ? { afterToolCall } : {}) };
}

function onEach<V>(given: Dynamic<V>, check: (value: V) => V): Dynamic<V> {
  if (typeof given !== "function") return check(given);
  const dynamic = given as (context: never) => V | Promise<V>;
  return async (context: never) => check(await dynamic(context));
}

/** The user's before ours, so that the gate sees what they changed; ours after the tool at once, so that it is recorded. */
function compose(user: ToolHooks | undefined, own: Required<ToolHooks>): ToolHooks {
  return together({
    async beforeToolCall(call) {
      const stop = await user?.beforeToolCall?.(call);
      return stop?.proceed === false ? stop : own.beforeToolCall(call);
    },
    async afterToolCall(call) {
      await own.afterToolCall(call);
      await user?.afterToolCall?.(call);
    },
  });
}

const defaults = [
  "defaultOptions",
  "defaultGenerateOptionsLegacy",
  "defaultStreamOptionsLegacy",
  "defaultNetworkOptions",
] as const;

/** Options of every call that would replace the gate, or ask beside it. */
function checkDefaults(config: object): void {
  for (const member of defaults) {
    const given = (config as Readonly<Record<string, unknown>>)[member];
    if (typeof given !== "object" || given === null) continue;
    if ("hooks" in given) {
      throw new ConfigurationError(
        `guardAgent: ${member}.hooks would replace the guard's. Give them as the agent's own hooks: they are kept.`,
      );
    }
    if ("requireToolApproval" in given && given.requireToolApproval) {
      throw new ConfigurationError(
        `guardAgent: ${member}.requireToolApproval asks beside the guard. Remove it: the guard's policy decides what is asked.`,
      );
    }
  }
}
