import { availableParallelism } from "node:os";
import { unit } from "../vitest.shared.ts";

// The longest of all packages' tests, which end alone: two files at once also where there are two cores.
export default unit("tests", { maxWorkers: Math.max(2, availableParallelism() - 1) });
