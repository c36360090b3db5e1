/** What each framework's file makes: the same support agent. Types only. */
import type { Guard } from "@guard/core";
import type { Ticket } from "../story.ts";
import type { ShopTools } from "../tools.ts";

export interface SupportAgentOptions {
  readonly guard: Guard;
  readonly tools: ShopTools;
  /** Whether runs are suspended while people decide; else they wait in this process. */
  readonly suspend: boolean;
  /** Where suspended runs are kept. */
  readonly directory: string;
  /** A real model, by its name at the AI gateway; the scripted one where it is left out. */
  readonly model: string | undefined;
  /** What becomes of the agent's last words on a ticket. */
  readonly reply: (ticket: string, text: string) => void;
}

export interface SupportAgent {
  /** Works on a ticket to its end, or, suspending, until it has to wait for people. */
  work(ticket: Ticket): Promise<void>;
  /** Goes on with every suspended ticket that people have answered, whichever process began it. */
  resume(): Promise<void>;
}

export const instructions =
  "You are the support agent of a shop. Do what the ticket asks with your tools: look up the order, then refund " +
  "what is fair. If a tool is refused, do not try again. End with one short sentence.";
