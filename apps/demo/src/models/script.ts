/**
 * The scripted model, whatever the framework: calls what its ticket says, step by step, and closes with what it was
 * told. It has no memory but the conversation, so any process can go on with it, and it throws when it is
 * asked for a step that the script does not have.
 */
import { lastTicket, type ScriptedCall, tickets } from "../story.ts";

/** What the model says where nothing was refused. */
export const done = "Done.";

/** The conversation, as far as the script needs it. */
export interface Conversation {
  /** What the user wrote. */
  readonly ticket: string;
  /** How often the model has had its turn. */
  readonly turns: number;
  /** What the model was told of each call of its last turn; `refused` where the call failed. */
  readonly results: readonly { readonly text: string; readonly refused: boolean }[];
}

/** The model's turn: calls, or its last words. */
export interface Turn {
  readonly calls: readonly (ScriptedCall & { readonly id: string })[];
  readonly text: string;
}

export function nextTurn({ ticket: text, turns, results }: Conversation): Turn {
  const ticket = [...tickets, lastTicket].find((candidate) => candidate.text === text);
  if (!ticket) throw new Error(`The script knows no ticket "${text}".`);
  if (turns > 0 && results.length === 0) throw new Error("The model has its turn without a tool result.");
  const calls = ticket.steps[turns];
  if (calls)
    return { calls: calls.map((call, i) => ({ ...call, id: `${ticket.id}-${turns}-${i}` })), text: "" };
  if (turns > ticket.steps.length) throw new Error(`${ticket.id} has no step ${turns}.`);
  const refusals = results.filter(({ refused }) => refused).map((result) => result.text);
  return { calls: [], text: refusals.length === 0 ? done : `Not done, I was told “${refusals.join("; ")}”` };
}
