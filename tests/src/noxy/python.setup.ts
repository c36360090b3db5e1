/** Installs the client that Noxy published for Python, once for all of a run's tests, and takes it away again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { install, virtualEnvironment } from "../../../tools/python.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The Python that has the client; null where this machine cannot have it. */
    python: string | null;
  }
}

// What it asks for beside these is left to pip, so that we hear of it when a newer one no longer works.
const published = ["noxy-sdk==2.2.0", "kybercffi==1.0.1"];

export default function setup(project: TestProject): () => void {
  const scratch = mkdtempSync(join(tmpdir(), "guard-noxy-python-"));
  const remove = () => rmSync(scratch, { recursive: true, force: true });
  try {
    const python = virtualEnvironment(join(scratch, "venv"));
    const lacking = install(python, published);
    if (lacking !== null) console.log(`noxy-python: SKIPPED: ${lacking}`);
    project.provide("python", lacking === null ? python : null);
    return remove;
  } catch (error) {
    remove();
    throw error;
  }
}
