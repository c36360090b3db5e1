/**
 * Many agents in one process, each with a guard and a stream of its own, each waiting for one answer. Told its
 * connections, it says when all have asked, and for each when its tool began.
 */
import { createGuard, memoryEvidence } from "@guard/core";
import { oneKiB } from "../asking.ts";
import { clock } from "../figure.ts";

export type Said =
  | { readonly kind: "asked"; readonly agent: number; readonly request: string }
  /** By {@link clock}. */
  | { readonly kind: "ran"; readonly agent: number; readonly at: number };

const say = (said: Said) => process.send?.(said);

process.once("message", async (connections: readonly string[]) => {
  for (const [agent, connection] of connections.entries()) {
    const asked = Promise.withResolvers<void>();
    const guard = createGuard({
      connection,
      approvers: ["alice@example.com"],
      evidence: memoryEvidence(),
      onPending({ request }) {
        say({ kind: "asked", agent, request });
        asked.resolve();
      },
    });
    const running = guard.run({ tool: "refund", args: oneKiB(agent), session: `ticket-${agent}` }, () =>
      say({ kind: "ran", agent, at: clock() }),
    );
    running.catch((error: unknown) => {
      process.stderr.write(`agent ${agent}: ${String(error)}\n`);
      process.exit(1);
    });
    await asked.promise;
  }
});
process.on("disconnect", () => process.exit(0));
