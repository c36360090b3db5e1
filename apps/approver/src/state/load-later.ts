/**
 * Loads later.js once the page stands, so that the first load is only what a person needs to answer.
 *
 * Guarantees: the only code that comes is what this page was built with. Its digest stands in the script that the
 * document names by digest (SRI), so the document's digest still stands for all that runs (relay-served-page).
 */
import { useEffect, useState } from "preact/hooks";

export type Later = typeof import("../later.ts");

/** The digest of later.js (SRI). The build puts it in the place of this name. */
declare const LATER_INTEGRITY: string;

let later: Later | null = null;
let loading: Promise<Later> | null = null;

/** `code` is null until it is there; where it cannot be had, `problem` says what to do. */
export function useLater(): { readonly code: Later | null; readonly problem: string | null } {
  const [state, setState] = useState({ code: later, problem: null as string | null });
  useEffect(() => {
    if (state.code) return;
    load().then(
      (code) => setState({ code, problem: null }),
      (error: Error) => setState({ code: null, problem: error.message }),
    );
  }, []);
  return state;
}

async function load(): Promise<Later> {
  loading ??= fetched().then(() => import("../later.ts"));
  try {
    later = await loading;
    return later;
  } catch (cause) {
    loading = null;
    throw new Error("This part of the page could not be loaded. Reload the page to try again.", { cause });
  }
}

/** Fetches the module, checks its digest, and leaves it where `import` takes it from. */
function fetched(): Promise<void> {
  const link = document.createElement("link");
  return new Promise((resolve, reject) => {
    if (!link.relList.supports("modulepreload"))
      throw new Error("This browser cannot check what it would load.");
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () =>
      reject(new Error("later.js did not come, or is not what was built.")),
    );
    link.rel = "modulepreload";
    link.integrity = LATER_INTEGRITY;
    link.href = "./later.js";
    document.head.append(link);
  });
}
