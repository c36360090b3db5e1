/** The page, where somebody sits at the demo: built from this clone, served by its relay, and a browser invited to it. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { linkTo, openBrowser } from "@guard/cli";
import type { Owner } from "@guard/core";
import { type Line, names, said } from "./output.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Builds the page; where nothing has changed since, that takes no time. */
export async function buildPage(): Promise<void> {
  const args = ["run", "build", "--filter=@guard/approver", "--output-logs=errors-only"];
  await promisify(execFile)(join(root, "node_modules", ".bin", "turbo"), args, { cwd: root });
}

export interface OfferOptions {
  readonly owner: Owner;
  readonly identity: string;
  /** Whether to open it, too. */
  readonly open: boolean;
  readonly signal: AbortSignal;
  readonly show: (line: Line) => void;
}

/** Shows where `identity` decides in a browser, and confirms whoever comes with that address. */
export async function offerPage({ owner, identity, open, signal, show }: OfferOptions): Promise<void> {
  const say = (text: string) => show(said(names([identity]), text, "dim"));
  // Passkeys need a name in place of an address.
  const page = new URL(owner.relay.replace("127.0.0.1", "localhost"));
  const inviting = await owner.invite({ identity, expiresIn: 60 * 60_000 });
  const address = linkTo(page, inviting.invitation);
  say(`can decide in a browser too: ${address}`);
  if (open) await openBrowser(address, say);
  const enrolled = inviting.waitForDevice({ signal, interval: 200 }).then((waiting) => waiting.confirm());
  enrolled
    .then(() => say("decides on the page too, from the next request on"))
    .catch((error: Error) => {
      if (!signal.aborted) say(error.message);
    });
}
