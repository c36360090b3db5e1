/** Durations as people write them. Guarantees a whole number of milliseconds between 1 ms and 365 days. */
import { ConfigurationError } from "../errors.ts";

const units: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);
const longest = 365 * 86_400_000;

/**
 * `'10s'`, `'30m'`, `'4h'`, `'7d'`, or a number of milliseconds. `name` is how the error calls the option.
 * @throws ConfigurationError
 */
export function milliseconds(value: unknown, name: string): number {
  let result: unknown = value;
  if (typeof value === "string") {
    const parts = /^([0-9]{1,12})([smhd])$/.exec(value);
    result = parts === null ? Number.NaN : Number(parts[1]) * (units.get(parts[2] as string) as number);
  }
  if (typeof result !== "number" || !Number.isInteger(result) || result < 1 || result > longest) {
    throw new ConfigurationError(
      `${name} is not a duration. Write '10s', '30m', '4h', '7d' or whole milliseconds, up to 365 days.`,
    );
  }
  return result;
}
