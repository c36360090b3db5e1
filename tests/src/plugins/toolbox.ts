/** The tools that every subject offers, and what became of them: which ran, with what, and what else they do. */
import { canonicalJson, type Json, type Rule } from "@guard/core";
import * as z from "zod";

export const schemas = {
  pay: z.object({ to: z.string(), amount: z.number().positive() }),
  lookup: z.object({ q: z.string() }),
  wipe: z.object({ table: z.string() }),
};

export type ToolName = keyof typeof schemas;

export const toolNames = Object.keys(schemas) as ToolName[];

export const descriptions: Readonly<Record<ToolName, string>> = {
  pay: "Pays somebody",
  lookup: "Looks something up",
  wipe: "Empties a table",
};

/** Paying is asked, looking up is allowed, wiping is denied. */
export const policy: readonly Rule[] = [
  { tool: "lookup", then: "allow" },
  { tool: "delegate", then: "allow" },
  { tool: "wipe", then: "deny", reason: "tables are not emptied by agents" },
];

export interface Toolbox {
  /** Every run of a tool, in order: `pay {"amount":1,"to":"bob"}`. */
  readonly ran: string[];
  /** What the tool does when it runs; by default it says what it was given. */
  behave(tool: ToolName, body: (args: Json) => unknown): void;
  /** To be called by the framework's tools. */
  run(tool: ToolName, args: unknown): Promise<unknown>;
}

export function toolbox(): Toolbox {
  const bodies = new Map<ToolName, (args: Json) => unknown>();
  const ran: string[] = [];
  return {
    ran,
    behave: (tool, body) => void bodies.set(tool, body),
    async run(tool, args) {
      const line = ranLine(tool, args as Json);
      ran.push(line);
      const body = bodies.get(tool);
      return body ? body(args as Json) : `done: ${line}`;
    },
  };
}

export const ranLine = (tool: string, args: Json): string => `${tool} ${canonicalJson(args)}`;
