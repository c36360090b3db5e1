// Runs before every test file: is this the runtime that was meant? tools/try-runtimes.ts says which one in
// GUARD_RUNTIME, as the version of Node (or `Chrome`) and the KEM's provider, so that a wrong PATH cannot pass.
import { inject } from "vitest";
import { kemProvider } from "./packages/core/src/crypto/kem.ts";

declare module "vitest" {
  interface ProvidedContext {
    runtime: string | null;
  }
}

const wanted = inject("runtime");
const page = typeof document !== "undefined" && /Chrome\//.test(navigator.userAgent);
const here = `${page ? "Chrome" : process.versions.node} ${kemProvider()}`;
if (wanted !== null && wanted !== here) throw new Error(`These tests run in ${here}, not in ${wanted}.`);
