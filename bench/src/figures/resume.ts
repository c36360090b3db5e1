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
import { type Installation, startInstallation } from "../installation.ts";

const suspendedRuns = 200;
const manyRuns = 1000;
/** Spans in which nothing happens, in milliseconds; together more than one round of keep-alives. */
const span = 5_000;
const spans = 7;
const alice = "alice@example.com";

/** Shares of a core while nothing happens: the median of the spans, since V8 clears up after earlier work in one or two of them. */
async function idle(installation: Installation) {
  globalThis.gc?.();
  const share = (cpu: number) => Number((cpu / span / 10).toPrecision(2));
  const relay = await installation.usage({ collect: true });
  const used: number[] = [];
  for (let n = 0; n < spans; n++) {
    const before = process.cpuUsage();
    await pause(span);
    const { user, system } = process.cpuUsage(before);
    used.push(user + system);
  }
  return {
    worker: share(percentile(used, 0.5)),
    mean: share(used.reduce((sum, each) => sum + each, 0) / spans),
    relay: share(((await installation.usage()).cpu - relay.cpu) / spans),
  };
}

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
  const worker = subject.worker();
  await worker.idle();
  const idles = subject.name === "LangGraph";
  const nothing = idles ? await idle(installation) : null;
  await start(0, suspendedRuns);
  await worker.idle();

  /** Answers the request of one session; resolves with the time until its tool ran, in milliseconds. */
  async function answer(session: string): Promise<number> {
    const opened = await device.open(await device.get(requests.get(session) as string));
    const woken = Promise.withResolvers<number>();
    told = woken.resolve;
    const before = performance.now();
    await device.decide(opened, { decision: "approve" });
    return (await woken.promise) - before;
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

  if (nothing) {
    await start(2 * suspendedRuns, suspendedRuns + manyRuns);
    await worker.idle();
    subject.touched();
    const many = await idle(installation);
    print({
      name: "1,000 suspended runs while nothing happens, the worker's process",
      value: many.worker,
      unit: "% of a core",
      goal: 0.5,
      better: "lower",
      against: { name: "no suspended run", value: nothing.worker, unit: "% of a core" },
      detail: {
        "mean of the spans, with V8's clearing up": many.mean,
        "runs that were loaded": subject.touched()?.length ?? Number.NaN,
        "the relay's process, % of a core": many.relay,
      },
    });
  }
  await worker.idle();
  subject.touched();
  await answer(`session-${suspendedRuns + 1}`);
  await worker.idle();
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
