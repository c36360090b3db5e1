/**
 * From a device's answer over the Noxy wire to the agent's knowing it, with Noxy's client of `@guard/compat`:
 * where the relay holds the question, as ours does, and by the published schedule (400 ms × 1.6 to 30 s). Both
 * wait for the same answers in one run. Relay, agent and device are processes of their own, over loopback.
 *
 * The time begins when the device writes its answer, so it holds the relay's commit as well.
 */
import { fork } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { clock, percentile, print } from "../figure.ts";
import { startInstallation } from "../installation.ts";
import { enable, openSession, subscribedDevice } from "../noxy.ts";
import type { Asked, Knew } from "../processes/noxy-agent.ts";

const decisions = 200;
/** Answers come at random moments of this span, in milliseconds. */
const span = 70_000;
const identity = "alice@example.com";

interface Answer {
  decidedAt: number;
  readonly knew: Record<Exclude<Knew["kind"], "asked">, PromiseWithResolvers<number>>;
}

const installation = await startInstallation();
const { owner, url } = installation;
await enable(owner);
const { app, token } = await owner.addAgent("agent");
const { publicKey } = generateKeyPairSync("ml-kem-768");
const pqPublicKey = publicKey.export({ format: "der", type: "spki" }).subarray(-1184);
const answers = new Map<string, Answer>();
const answerOf = (decision: string): Answer => {
  const answer = answers.get(decision) ?? {
    decidedAt: 0,
    knew: { held: Promise.withResolvers(), polled: Promise.withResolvers() },
  };
  answers.set(decision, answer);
  return answer;
};
const session = await openSession(url);
const device = await subscribedDevice(session, { app, identity, pqPublicKey }, answerOf);
const agent = fork(join(import.meta.dirname, "..", "processes", "noxy-agent.ts"));
const asked = Promise.withResolvers<void>();
agent.on("message", (knew: Knew) => {
  if (knew.kind === "asked") asked.resolve();
  else answerOf(knew.decision).knew[knew.kind].resolve(knew.at);
});
agent.send({ endpoint: url, authToken: token, identity, decisions } satisfies Asked);
const ended = once(agent, "exit").then(() => Promise.reject(new Error("The agent ended.")));
ended.catch(() => {});
await Promise.race([asked.promise, ended]);
if (answers.size !== decisions) throw new Error(`The device got ${answers.size} decisions.`);

const took: Record<"held" | "polled", number[]> = { held: [], polled: [] };
await Promise.race([
  ended,
  Promise.all(
    [...answers].map(async ([decisionId, answer]) => {
      await pause(Math.random() * span);
      answer.decidedAt = clock();
      device.send({
        case: "decisionOutcome",
        value: { $typeName: "noxy.device.DecisionOutcome", decisionId, outcome: 0, receivedAt: 0n },
      });
      for (const kind of ["held", "polled"] as const)
        took[kind].push((await answer.knew[kind].promise) - answer.decidedAt);
    }),
  ),
]);
agent.disconnect();
session.destroy();
await installation.close();
const names = {
  held: "from a device's answer over Noxy's wire to the agent, held by the relay, p95",
  polled: "the same answers by Noxy's schedule, 400 ms × 1.6 to 30 s, p95",
};
for (const kind of ["held", "polled"] as const) {
  print({
    name: names[kind],
    value: percentile(took[kind], 0.95),
    unit: "ms",
    goal: null,
    better: "lower",
    detail: { "p50, ms": Math.round(percentile(took[kind], 0.5)), answers: took[kind].length },
  });
}
