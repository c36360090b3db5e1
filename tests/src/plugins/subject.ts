/**
 * What the suite knows of a plugin in one mode: an agent whose model follows a script, over a storage that outlives
 * the framework's objects. A second `process` over the same conversation is what another process would have.
 */
import type { Guard, Json } from "@guard/core";
import type { ResumeWorker } from "@guard/core/plugin";
import type { Toolbox } from "./toolbox.ts";

/** A call that the model makes. */
export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly args: Json;
}

/** What the model says in one turn: calls, or the text that it ends with. */
export type Turn = string | readonly Call[];

export interface Result {
  readonly id: string;
  readonly kind: "result" | "error";
  readonly text: string;
}

/** Messages, as far as the suite looks at them. */
export interface Transcript {
  readonly calls: readonly Call[];
  readonly results: readonly Result[];
  /** The text of the last message, where it is the model's. */
  readonly text: string | null;
}

export interface Setup {
  readonly session: string;
  readonly script: readonly Turn[];
  /** Where given, the tools belong to a sub-agent that follows this script; the agent's own tool is `delegate`. */
  readonly inner?: readonly Turn[];
  readonly tools: Toolbox;
  /** Calls of which the history says that they were made, and approved by the framework's own means. */
  readonly claims?: readonly Call[];
  /** Gets the arguments of each call by the reference that the framework goes on with, where there is one. */
  readonly onArgs?: (args: Record<string, Json>) => void;
}

/** A run of an agent, wherever it is stored. */
export interface Conversation {
  /** The framework's objects over the stored run; without a guard, what they are without the plugin. */
  process(guard: Guard | null): Process;
  /** What is stored. */
  stored(): Promise<Transcript>;
  /** What the model was given, by its turns; of the sub-agent's model where there is one. */
  readonly prompts: readonly Transcript[];
}

export interface Process {
  /** Until the run ends or is suspended. Rejects where the framework lets the run fail. */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Resumes the stored run with whatever somebody made up. May reject: nothing runs then either. */
  resume(value: unknown): Promise<void>;
  worker(options: WorkerOptions): ResumeWorker;
}

export interface WorkerOptions {
  readonly guard: Guard;
  readonly storedWithin: number;
  readonly onError: (error: unknown) => void;
}

/**
 * What a plugin can do in a framework, as its README says it. Each is tested in both directions, so that a framework
 * that begins to be able shows here, but for two: a race may be won either way, and where no reference to the
 * arguments was found there is nothing to change.
 */
export interface Traits {
  /** Calls of one turn: any number, or one (a node or step that is one action). */
  readonly calls: "many" | "one";
  /** Whether a model is part of it, which reads results. */
  readonly model: boolean;
  /** Whether the history shows what an approver edited, instead of what the model wrote. */
  readonly historyShowsEdits: boolean;
  /** Whether approvers can edit: not where no schema is known that an edit could be held against. */
  readonly edits: boolean;
  /** Whether an approved call runs while its siblings still wait. */
  readonly runsBeforeSiblings: boolean;
  /**
   * What becomes of a call in a later turn that has the id of an earlier one, as some models number their calls anew
   * in each turn: it is asked; the gate refuses it, and the model reads that it has run; or the framework itself
   * takes the earlier result for it, or keeps one call of the two, so that a script by history cannot tell them apart.
   */
  readonly repeatedIds: "asked" | "refused" | "skipped" | "merged";
  /** What the model reads otherwise than without the plugin, by the case. */
  readonly unlike?: Readonly<Record<string, string>>;
  /**
   * Where two processes resume one run at once: whether what is stored in the end has every result. Where it has
   * not, the model reads that another process runs the call.
   */
  readonly racesKeepResults: boolean;
  /** What a guarded tool in a sub-agent does to the whole; `none` where there are no agents. */
  readonly subAgents: "wait" | "suspend" | "refused" | "none";
  /** Whether the framework goes on with arguments by reference, so that somebody could change them. */
  readonly argsByReference: boolean;
}

/** A mistake, and what the message has to say. */
export interface Misuse {
  readonly title: string;
  readonly make: (guard: Guard) => unknown;
  readonly says: RegExp;
}

export interface Subject {
  readonly name: string;
  readonly mode: "wait" | "suspend";
  readonly traits: Traits;
  /** The same plugin and mode as another subject, called in another way of the framework's. */
  readonly variant: boolean;
  readonly misuse: readonly Misuse[];
  open(setup: Setup): Conversation;
}

/** What a process cannot do in wait mode: nothing is suspended, so there is nothing to resume. */
export const cannotResume: Pick<Process, "resume" | "worker"> = {
  resume: async () => {
    throw new TypeError("Nothing is suspended in wait mode.");
  },
  worker: () => {
    throw new TypeError("Nothing is suspended in wait mode.");
  },
};
