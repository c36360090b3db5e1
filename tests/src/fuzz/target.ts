/**
 * What is fuzzed, and how a run goes: first the whole corpus, then mutations of valid inputs. A target takes an
 * input, lets Guard read it, and throws where Guard crashed or believed what it must not.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isGuardError } from "@guard/core";
import { type Codec, mutate } from "./mutate.ts";
import { randomOf } from "./random.ts";

export interface Target {
  readonly name: string;
  /** The exported functions of core, device and relay that it covers; coverage.test.ts keeps the list whole. */
  readonly covers: readonly string[];
  /** Valid inputs, made by the real code. Each has to be accepted as it is. */
  readonly seeds: readonly string[];
  /** Nearly valid inputs that chance would seldom make, tried every time after the corpus. */
  readonly tries?: readonly string[];
  readonly codec?: Codec;
  /** Runs in `pnpm test`. A long run multiplies them. */
  readonly runs: number;
  /**
   * Gives the input to Guard. True: accepted, and everything that acceptance has to mean held. False: refused by
   * an error of Guard's. Whatever else is thrown is a finding.
   */
  judge(input: string): boolean | Promise<boolean>;
  close?(): Promise<void>;
}

export interface Tally {
  runs: number;
  accepted: number;
}

/** Times the runs of `pnpm test`, and the seed; both are printed with every finding. */
export const factor = Number(process.env.GUARD_RUNS ?? "1");
export const seed = process.env.GUARD_SEED ?? String(Math.floor(Math.random() * 2 ** 32));

/** A batch that takes longer than this for each of its inputs has hung; a loaded machine does not reach it. */
const budget = 2_000;
const batch = 25;

/** The kept inputs of a target by name: what once went wrong, and what is worth trying every time. */
function corpusOf(name: string): Readonly<Record<string, string>> {
  const file = join(import.meta.dirname, "../../corpus", `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
}

/** @throws Error that holds the input and the seed with which it comes again. */
export async function run(target: Target): Promise<Tally> {
  const tally: Tally = { runs: 0, accepted: 0 };
  const attempt = async (label: string, input: string): Promise<boolean> => {
    tally.runs++;
    try {
      const accepted = await target.judge(input);
      if (accepted) tally.accepted++;
      return accepted;
    } catch (cause) {
      throw new Error(
        `${target.name}, ${label}: ${cause instanceof Error ? cause.stack : String(cause)}\ninput: ${JSON.stringify(input).slice(0, 6000)}`,
        { cause },
      );
    }
  };
  for (const [i, input] of target.seeds.entries()) {
    if (!(await attempt(`valid input ${i}`, input)))
      throw new Error(`${target.name} refuses its valid input ${i}: ${input.slice(0, 300)}`);
  }
  for (const [name, input] of Object.entries(corpusOf(target.name))) await attempt(`corpus "${name}"`, input);
  for (const [i, input] of (target.tries ?? []).entries()) await attempt(`try ${i}`, input);
  const runs = Math.ceil(target.runs * factor);
  for (let first = 0; first < runs; first += batch) {
    const started = performance.now();
    const inputs: string[] = [];
    for (let i = first; i < Math.min(runs, first + batch); i++) {
      const random = randomOf(`${seed}/${target.name}/${i}`);
      const input = mutate(random, random.pick(target.seeds), target.seeds, target.codec);
      inputs.push(input);
      await attempt(`GUARD_SEED=${seed} run ${i}`, input);
    }
    if (performance.now() - started > budget * inputs.length)
      throw new Error(
        `${target.name}: one of these hangs (GUARD_SEED=${seed}): ${JSON.stringify(inputs).slice(0, 6000)}`,
      );
  }
  return tally;
}

/** What the work gives, or undefined where Guard refuses by one of its errors. Everything else goes on up. */
export async function guarded<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isGuardError(error)) return undefined;
    throw error;
  }
}

/** Says what acceptance would have meant. */
export function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
