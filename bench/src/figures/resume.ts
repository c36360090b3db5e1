/**
 * From a person's answer to the resumed run, while 200 runs are suspended; then what 1,000 suspended runs cost while
 * nothing happens, and which of them one resume loads. The relay is a process of its own, over loopback; agent,
 * worker and the person's device are this one, so the time holds the device's work as well.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createGuard, formatConnection, memoryEvidence } from "@guard/core";
import { enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { aiSdk, langGraph, mastra, type Suspended } from "../agents/suspended.ts";
import { percentile, print } from "../figure.ts";
import { startInstallation } from "../installation.ts";

const suspendedRuns = 200;
const manyRuns = 1000;
/** How long nothing happens, in milliseconds: more than one round of keep-alives. */
const quiet = 35_000;
const alice = "alice@example.com";

for (const make of [langGraph, aiSdk, mastra]) {
  const installation = await startInstallation();
  const { owner } = installation;
  const store = memoryDeviceStore();
  const device = await openDevice({
    profile: await enrolOwn(owner, { identity: alice, name: "phone", store }),
    store,
  });
  const requests = new Map<string, string>();
  let told = (_at: number) => {};
  const guard = createGuard({
    connection: formatConnection(await owner.addAgent("support")),
    approvers: [alice],
    rosterStore: null,
    evidence: memoryEvidence(),
    onPending: ({ session, request }) => void requests.set(session ?? "", request),
  });
  const subject: Suspended = make(guard, () => told(performance.now()));
  const start = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await subject.start(`session-${n}`);
  };
  await start(0, suspendedRuns);
  const worker = subject.worker();
  await worker.idle();

  /** Answers the request of one session; resolves with the time until its tool ran, in milliseconds. */
  async function answer(session: string): Promise<number> {
    const opened = await device.open(await device.get(requests.get(session) as string));
    const woken = Promise.withResolvers<number>();
    told = woken.resolve;
    const before = performance.now();
    await device.decide(opened, { decision: "approve" });
    const at = await woken.promise;
    await worker.idle();
    return at - before;
  }

  const times: number[] = [];
  for (let n = 0; n < suspendedRuns; n++) {
    times.push(await answer(`session-${n}`));
    await subject.start(`session-${suspendedRuns + n}`);
  }
  print({
    name: `${subject.name}: from a person's answer to the resumed run, 200 runs suspended, p95`,
    value: percentile(times, 0.95),
    unit: "ms",
    goal: 150,
    better: "lower",
    detail: { "p50, ms": Math.round(percentile(times, 0.5)) },
  });

  if (subject.name === "LangGraph") {
    await start(2 * suspendedRuns, suspendedRuns + manyRuns);
    await worker.idle();
    subject.touched();
    const relayBefore = await installation.usage();
    const before = process.cpuUsage();
    await pause(quiet);
    const { user, system } = process.cpuUsage(before);
    const relay = (await installation.usage()).cpu - relayBefore.cpu;
    const share = (cpu: number) => (100 * cpu) / (quiet * 1000);
    print({
      name: "1,000 suspended runs while nothing happens, the worker's process",
      value: share(user + system),
      unit: "% of a core",
      goal: 0.5,
      better: "lower",
      detail: {
        "runs that were loaded": subject.touched()?.length ?? Number.NaN,
        "the relay's process, % of a core": Number(share(relay).toPrecision(2)),
      },
    });
  }
  subject.touched();
  await answer(`session-${suspendedRuns + 1}`);
  const touched = subject.touched();
  if (touched) {
    print({
      name: `${subject.name}: runs that one resume loads`,
      value: touched.length,
      unit: "runs",
      goal: 1,
      better: "lower",
    });
  }
  await worker.close();
  await guard.close();
  await installation.close();
}
