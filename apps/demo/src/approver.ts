/**
 * A person who decides, in a process of their own: its device makes its own keys, and they never leave it.
 * Scripted, or live: then the screen of `guard inbox` has the terminal, with the agent's lines above it.
 */
import { canonicalJson, isGuardError } from "@guard/core";
import {
  createInbox,
  type Device,
  enrol,
  memoryDeviceStore,
  type OpenedRequest,
  openDevice,
} from "@guard/device";
import { inWords, type Line, names, said } from "./output.ts";
import { type GivenAnswer, given, parent } from "./processes.ts";
import { answers, type ScriptedAnswer, type ScriptedCall } from "./story.ts";

const { report, signal, onLine, onAnswer } = parent();
const isLive = given("DEMO_LIVE") === "1";
/** Whether the agent is gone while people answer: what was answered has not run yet. */
const suspend = given("DEMO_SUSPEND") === "1";
const answered = new Set<string>();
const store = memoryDeviceStore();
const enrolling = await enrol({
  invitation: given("DEMO_INVITATION"),
  name: "demo",
  origin: "terminal",
  store,
});
report({ kind: "ready", fingerprint: enrolling.fingerprint });
const profile = await enrolling.waitUntilEnrolled({ signal, interval: 20 }).catch((error: unknown) => {
  if (signal.aborted) process.exit(0);
  throw error;
});
const identity = profile.identity;
const device = telling(await openDevice({ profile, store }));

if (isLive) await live();
else await scripted(answers[identity] ?? []);
process.exit(0);

/** Tells the demo what its person answered, here or on the page, so that it can be compared with what ran. */
function telling(opened: Device): Device {
  return {
    ...opened,
    async open(view) {
      const found = await opened.open(view);
      const { request, tool, args } = found;
      for (const { identity, device, decision, edited } of found.answers) {
        if (identity !== profile.identity || device === profile.device || answered.has(request)) continue;
        answered.add(request);
        const given = edited ? null : (args as ScriptedCall["args"]);
        const answer = { request, tool, identity, decision, reason: null, args: given, edited };
        report({
          kind: "answered",
          answer,
          line: said(
            names([identity]),
            `${decision === "reject" ? "rejects" : "approves"} it on the page`,
            "dim",
          ),
        });
      }
      return found;
    },
    async decide(request, decision) {
      const view = await opened.decide(request, decision);
      const asked = request.args as ScriptedCall["args"];
      const args = (decision.args ?? asked) as ScriptedCall["args"];
      const edited = canonicalJson(args) !== canonicalJson(asked);
      const { tool } = request;
      const reason = decision.reason ?? null;
      const answer = {
        request: request.request,
        tool,
        identity,
        decision: decision.decision,
        reason,
        args,
        edited,
      };
      report({ kind: "answered", answer, line: isLive ? null : spoken(answer) });
      answered.add(request.request);
      return view;
    },
  };
}

function spoken({
  identity,
  decision,
  edited,
  tool,
  args,
  reason,
}: GivenAnswer & { args: ScriptedCall["args"] }): Line {
  const verb = decision === "reject" ? "rejects" : edited ? "approves with changes:" : "approves";
  const words = `${verb} ${inWords(tool, args)}${reason === null ? "" : ` (“${reason}”)`}`;
  return said(names([identity]), words, decision === "reject" ? "danger" : "good");
}

async function scripted(script: readonly ScriptedAnswer[]): Promise<void> {
  /** Requests that were answered (where the agent is gone) or have run, in the words of `holds`. */
  const past = new Set<string>();
  const open = new Map<string, OpenedRequest>();
  let now = true;
  let turn = Promise.resolve();
  const key = ({ agent, session, args }: OpenedRequest) => `${agent} ${session} ${canonicalJson(args)}`;
  const isPast = ({ agent, session }: OpenedRequest, text: string) =>
    [...past].some((candidate) => candidate.startsWith(`${agent} ${session} `) && candidate.includes(text));

  /** Answers what is open; again where that made way for another one. */
  async function answerOpen(): Promise<void> {
    for (const [id, waiting] of open) {
      const answer = script.find(
        ({ ticket, holds }) => ticket === waiting.session && key(waiting).includes(holds ?? ""),
      );
      if (!now) return;
      if (answer?.after !== undefined && !isPast(waiting, answer.after)) continue;
      open.delete(id);
      await decide(waiting, answer);
      if (!suspend) continue;
      past.add(key(waiting));
      return answerOpen();
    }
  }
  const next = () => {
    turn = turn.then(answerOpen);
    return turn;
  };
  onAnswer((may) => {
    now = may;
    void next();
  });

  try {
    for await (const view of device.requests({ signal })) {
      const request = await device.open(view);
      if (request.state === "completed") past.add(key(request));
      if (request.closed === null) open.set(request.request, request);
      else open.delete(request.request);
      await next();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function decide(request: OpenedRequest, answer: ScriptedAnswer | undefined): Promise<void> {
  const { decision, reason, edit } = answer ?? {
    decision: "reject",
    reason: "Nobody told me about this one",
  };
  const args = edit && { ...(request.args as ScriptedCall["args"]), ...edit };
  try {
    await device.decide(request, { decision, ...(reason ? { reason } : {}), ...(args ? { args } : {}) });
  } catch (error) {
    // Somebody else's answer ended it a moment ago.
    if (!isGuardError(error) || error.relayCode !== "already_decided") throw error;
  }
}

async function live(): Promise<void> {
  const { startScreen } = await import("@guard/cli");
  const inbox = createInbox({
    onChange: () => screen.controller.changed(),
    onRemark: (text) => {
      // What becomes of an answered request is told by the agent's lines.
      const own = [...answered].some((request) => text.includes(request.slice(0, 8)));
      if (!own) screen.line({ text: `  ${text}`, tone: "dim" });
    },
  });
  const screen = startScreen({ inbox, autoOpen: true });
  onLine((line) => screen.line(line));
  inbox.add(device);
  void screen.quit.then(() => report({ kind: "quit" }));
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve());
  await stopped;
  inbox.close();
  screen.close();
}
