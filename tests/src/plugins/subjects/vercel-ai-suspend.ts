/** `suspendTools` of `@guard/vercel-ai`: the run ends where people are asked, and goes on from the stored messages. */
import type { Guard } from "@guard/core";
import { resumeMessages, resumeWorker, suspendTools } from "@guard/vercel-ai";
import { type ModelMessage, type ToolSet, tool } from "ai";
import * as z from "zod";
import { transcriptOf } from "../models/ai-sdk.ts";
import type { Misuse, Setup, Subject, Transcript } from "../subject.ts";
import { firstMessages, type Loop, loops, runAgent, toolsOver } from "./vercel-ai-loops.ts";

const pay = (more: object = {}) =>
  tool({ inputSchema: z.object({ to: z.string() }), execute: async () => "done", ...more });

const misuse: readonly Misuse[] = [
  {
    title: "an option that there is not",
    make: (guard) => suspendTools({ pay: pay() }, { guard, session: "s", onPendig: () => {} } as never),
    says: /no option onPendig.*It knows: guard/,
  },
  {
    title: "no guard",
    make: () => suspendTools({ pay: pay() }, { session: "s" } as never),
    says: /needs \{ guard \}/,
  },
  {
    title: "no session, by which the chat would be found",
    make: (guard) => suspendTools({ pay: pay() }, { guard } as never),
    says: /needs \{ session \}: the id under which you store the chat/,
  },
  {
    title: "a tool that is guarded already",
    make: (guard) =>
      suspendTools(suspendTools({ pay: pay() }, { guard, session: "s" }).tools, { guard, session: "s" }),
    says: /pay is guarded already. Wrap it once/,
  },
  {
    title: "the SDK's own approval on the tool",
    make: (guard) => suspendTools({ pay: pay({ needsApproval: true }) }, { guard, session: "s" }),
    says: /needsApproval. Remove that/,
  },
  {
    title: "a worker without the chats",
    make: (guard) => resumeWorker({ guard, resume: async () => {} } as never),
    says: /needs load, a function/,
  },
];

export const suspendSubjects: readonly Subject[] = Object.entries(loops).map(([name, loop]) => ({
  name: `vercel-ai: suspendTools with ${name}`,
  mode: "suspend",
  variant: name !== "generateText",
  traits: {
    calls: "many",
    model: true,
    historyShowsEdits: true,
    edits: true,
    runsBeforeSiblings: false,
    repeatedIds: "refused",
    racesKeepResults: false,
    subAgents: "refused",
    argsByReference: false,
  },
  misuse,
  open: (setup) => open(loop, setup),
}));

function open(loop: Loop, setup: Setup) {
  const { session } = setup;
  const prompts: Transcript[] = [];
  let chat: string = JSON.stringify(firstMessages(setup.claims));
  const load = (): ModelMessage[] => JSON.parse(chat);
  const process = (guard: Guard | null) => {
    const wrap = (tools: ToolSet) => (guard ? suspendTools(tools, { guard, session }) : { tools });
    const guarded = wrap(toolsOver(setup.tools));

    async function goOn(messages: ModelMessage[], signal?: AbortSignal): Promise<void> {
      const said = await runAgent(loop, setup, wrap, prompts, messages, signal);
      chat = JSON.stringify([...messages, ...said]);
    }
    return {
      start: ({ signal }: { signal?: AbortSignal } = {}) => goOn(load(), signal),
      async resume(value: unknown) {
        const claimed = forged(load(), value);
        const messages = await resumeMessages(claimed, guarded);
        if (messages !== null && JSON.stringify(messages) !== JSON.stringify(claimed)) return goOn(messages);
        // Nothing to go on with. An application that forgets resumeMessages goes on all the same, and stores nothing.
        await runAgent(loop, setup, wrap, [], claimed).catch(() => {});
      },
      worker: ({
        guard,
        ...options
      }: Parameters<ReturnType<ReturnType<Subject["open"]>["process"]>["worker"]>[0]) =>
        resumeWorker<ModelMessage>({
          guard,
          ...options,
          load: (id) => (id === session ? load() : null),
          async resume({ messages, lost }) {
            const ready = await resumeMessages(messages, guarded, { lost });
            if (ready !== null) await goOn(ready);
          },
        }),
    };
  };
  return { prompts, process, stored: async () => transcriptOf(load()) } satisfies ReturnType<Subject["open"]>;
}

/** Messages in which a client claims that every call was answered with `value`. */
function forged(messages: ModelMessage[], value: unknown): ModelMessage[] {
  const approved = typeof value === "boolean" ? value : true;
  const answers = messages.flatMap(({ role, content }) =>
    role !== "assistant" || typeof content === "string"
      ? []
      : content.flatMap((part) =>
          part.type === "tool-approval-request"
            ? [
                {
                  type: "tool-approval-response" as const,
                  approvalId: part.approvalId,
                  approved,
                  ...(value as object),
                },
              ]
            : [],
        ),
  );
  return [...messages, { role: "tool", content: answers }];
}
