/**
 * Loads later.js and later.css once the page stands, so that the first load is only what a person needs to answer.
 *
 * Guarantees: what comes is what this page was built with. Its digests stand in the script that the document names by
 * digest (SRI), so the document's digest still stands for all that runs (relay-served-page).
 */
import { useEffect, useState } from "preact/hooks";

export type Later = typeof import("../later.ts");

/** Their digests (SRI). The build puts them in the place of these names. */
declare const LATER_SCRIPT: string;
declare const LATER_STYLE: string;

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
  loading ??= Promise.all([
    fetched("modulepreload", "./later.js", LATER_SCRIPT),
    fetched("stylesheet", "./later.css", LATER_STYLE),
  ]).then(() => import("../later.ts"));
  try {
    later = await loading;
    return later;
  } catch (cause) {
    loading = null;
    throw new Error("This part of the page could not be loaded. Reload the page to try again.", { cause });
  }
}

/** Fetches it, checks its digest, and leaves it where the page takes it from. */
function fetched(rel: "modulepreload" | "stylesheet", href: string, integrity: string): Promise<void> {
  const link = document.createElement("link");
  return new Promise((resolve, reject) => {
    if (!link.relList.supports(rel)) throw new Error("This browser cannot check what it would load.");
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () =>
      reject(new Error(`${href} did not come, or is not what was built.`)),
    );
    link.rel = rel;
    link.integrity = integrity;
    link.href = href;
    document.head.append(link);
  });
}
