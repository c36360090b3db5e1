/** `guardTools` of `@guard/vercel-ai`: calls wait, under generateText, streamText and a ToolLoopAgent. */
import { guardTools } from "@guard/vercel-ai";
import { type ModelMessage, type ToolSet, tool } from "ai";
import * as z from "zod";
import { transcriptOf } from "../models/ai-sdk.ts";
import { cannotResume, type Misuse, type Setup, type Subject, type Transcript } from "../subject.ts";
import { firstMessages, type Loop, loops, runAgent } from "./vercel-ai-loops.ts";

const pay = (more: object = {}) =>
  tool({ inputSchema: z.object({ to: z.string() }), execute: async () => "done", ...more });

const misuse: readonly Misuse[] = [
  {
    title: "an option that there is not",
    make: (guard) => guardTools({ pay: pay() }, { guard, sesion: "s" } as never),
    says: /no option sesion.*It knows: guard/,
  },
  {
    title: "no guard",
    make: () => guardTools({ pay: pay() }, {} as never),
    says: /needs \{ guard \}/,
  },
  {
    title: "a tool that is guarded already",
    make: (guard) => guardTools(guardTools({ pay: pay() }, { guard }), { guard }),
    says: /pay is guarded already. Wrap it once/,
  },
  {
    title: "the SDK's own approval on the tool",
    make: (guard) => guardTools({ pay: pay({ needsApproval: true }) }, { guard }),
    says: /needsApproval. Remove that/,
  },
  {
    title: "a tool that runs elsewhere",
    make: (guard) => guardTools({ pay: pay({ execute: undefined }) }, { guard }),
    says: /no execute.*list it in ungated/,
  },
  {
    title: "a name that no tool has",
    make: (guard) => guardTools({ pay: pay() }, { guard, ungated: ["pya" as never] }),
    says: /no tool called pya/,
  },
];

export const waitSubjects: readonly Subject[] = Object.entries(loops).map(([name, loop]) => ({
  name: `vercel-ai: guardTools with ${name}`,
  mode: "wait",
  variant: name !== "generateText",
  traits: {
    calls: "many",
    model: true,
    historyShowsEdits: false,
    edits: true,
    runsBeforeSiblings: true,
    repeatedIds: "asked",
    racesKeepResults: true,
    subAgents: "wait",
    argsByReference: true,
  },
  misuse,
  open: (setup) => open(loop, setup),
}));

function open(loop: Loop, setup: Setup) {
  const prompts: Transcript[] = [];
  const messages: ModelMessage[] = firstMessages(setup.claims);
  return {
    prompts,
    stored: async () => transcriptOf(messages),
    process: (guard) => ({
      async start({ signal } = {}) {
        const wrap = (tools: ToolSet) => ({
          tools: guard ? guardTools(tools, { guard, session: setup.session }) : tools,
        });
        messages.push(...(await runAgent(loop, setup, wrap, prompts, [...messages], signal)));
      },
      ...cannotResume,
    }),
  } satisfies ReturnType<Subject["open"]>;
}
