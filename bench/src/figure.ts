/**
 * A figure: one JSON line with what was measured, its goal, and whether it was met. A figure that is missed is
 * printed as missed; a goal is only ever changed together with docs/performance.md.
 */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Null where a figure only stands beside another one. */
  readonly goal: number | null;
  readonly better: "lower" | "higher";
  /** What `value` was compared with in the same run, where it is a ratio or stands beside something. */
  readonly against?: { readonly name: string; readonly value: number; readonly unit: string };
  /** What else the run showed. */
  readonly detail?: Readonly<Record<string, number | string>>;
}

const rounded = (value: number) => Number(value.toPrecision(4));

export function print(figure: Figure): void {
  const { name, value, unit, goal, better, against, detail } = figure;
  const met = goal === null ? null : better === "lower" ? value <= goal : value >= goal;
  const line = {
    name,
    value: rounded(value),
    unit,
    goal,
    better,
    met,
    ...(against ? { against: { ...against, value: rounded(against.value) } } : {}),
    ...(detail ? { detail } : {}),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The machine's monotonic clock in milliseconds: the same in every process. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

/** The value below which a share of `samples` lies (nearest rank). */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[at] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

export interface Sampling {
  /** How many samples a run takes. */
  readonly samples: number;
  /** How many calls make one sample, where one call is too short for the clock. Default 1. */
  readonly batch?: number;
  /** How many runs; the median of their p50s is the figure. Default 5. */
  readonly runs?: number;
}

/** The p50 of one call in milliseconds: the median of several runs, after a run that does not count. */
export async function p50(work: () => unknown, { samples, batch = 1, runs = 5 }: Sampling): Promise<number> {
  const middles: number[] = [];
  for (let run = -1; run < runs; run++) {
    const taken: number[] = [];
    for (let i = 0; i < samples; i++) {
      const start = performance.now();
      for (let j = 0; j < batch; j++) {
        const pending = work();
        // A call that is not asynchronous must not pay for a tick.
        if (pending instanceof Promise) await pending;
      }
      taken.push((performance.now() - start) / batch);
    }
    if (run >= 0) middles.push(median(taken));
  }
  return median(middles);
}
