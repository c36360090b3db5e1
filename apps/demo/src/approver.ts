/**
 * A person who decides, in a process of their own: its device makes its own keys, and they never leave it.
 * Scripted, or live: then the screen of `guard inbox` has the terminal, with the agent's lines above it.
 */
import { canonicalJson } from "@guard/core";
import { type Device, enrol, memoryDeviceStore, type OpenedRequest, openDevice } from "@guard/device";
import { inWords, names, said } from "./output.ts";
import { given, parent } from "./processes.ts";
import { answers, type ScriptedAnswer, type ScriptedCall } from "./story.ts";

const { report, signal, onLine } = parent();
const isLive = given("DEMO_LIVE") === "1";
const answered = new Set<string>();
const store = memoryDeviceStore();
const enrolling = await enrol({
  invitation: given("DEMO_INVITATION"),
  name: "demo",
  origin: "terminal",
  store,
});
report({ kind: "ready", fingerprint: enrolling.fingerprint });
const profile = await enrolling.waitUntilEnrolled({ signal, interval: 20 });
const identity = profile.identity;
const device = telling(await openDevice({ profile, store }));

if (isLive) await live();
else await scripted(answers[identity] ?? []);
process.exit(0);

/** Tells the demo what its person answered, so that it can be compared with what ran. */
function telling(opened: Device): Device {
  return {
    ...opened,
    async decide(request, decision) {
      const view = await opened.decide(request, decision);
      const asked = request.args as ScriptedCall["args"];
      const args = (decision.args ?? asked) as ScriptedCall["args"];
      const edited = canonicalJson(args) !== canonicalJson(asked);
      const { tool } = request;
      const reason = decision.reason ?? null;
      report({
        kind: "answered",
        answer: {
          request: request.request,
          tool,
          identity,
          decision: decision.decision,
          reason,
          args,
          edited,
        },
      });
      answered.add(request.request);
      if (isLive) return view;
      const verb =
        decision.decision === "reject" ? "rejects" : edited ? "approves with changes:" : "approves";
      const line = `${verb} ${inWords(tool, args)}${reason === null ? "" : ` (“${reason}”)`}`;
      report({
        kind: "line",
        line: said(names([identity]), line, decision.decision === "reject" ? "danger" : "good"),
      });
      return view;
    },
  };
}

async function scripted(script: readonly ScriptedAnswer[]): Promise<void> {
  const ran = new Set<string>();
  const open = new Map<string, OpenedRequest>();
  const key = (request: OpenedRequest) => `${request.session} ${canonicalJson(request.args)}`;
  const has = (keys: Iterable<string>, ticket: string, text: string) =>
    [...keys].some((candidate) => candidate.startsWith(`${ticket} `) && candidate.includes(text));
  try {
    for await (const view of device.requests({ signal })) {
      const request = await device.open(view);
      if (request.state === "completed") ran.add(key(request));
      if (request.closed === null) open.set(request.request, request);
      else open.delete(request.request);
      for (const [id, waiting] of open) {
        const answer = script.find(
          ({ ticket, holds }) => ticket === waiting.session && key(waiting).includes(holds ?? ""),
        );
        if (answer?.after !== undefined && !has(ran, answer.ticket, answer.after)) continue;
        open.delete(id);
        await decide(waiting, answer);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function decide(request: OpenedRequest, answer: ScriptedAnswer | undefined): Promise<void> {
  if (!answer) {
    await device.decide(request, { decision: "reject", reason: "Nobody told me about this one" });
    return;
  }
  const { decision, reason, edit } = answer;
  const args = edit && { ...(request.args as ScriptedCall["args"]), ...edit };
  await device.decide(request, { decision, ...(reason ? { reason } : {}), ...(args ? { args } : {}) });
}

async function live(): Promise<void> {
  const { createInbox, startScreen } = await import("@guard/cli");
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
