/** The guard, one a process. It is made when it is first needed: `next build` has no connection. */
import { createGuard } from "@guard/core";
import { once } from "./once.ts";

export const guard = () =>
  once("guard", () =>
    // The connection comes from GUARD_CONNECTION.
    createGuard({
      approvers: ["alice@example.com"],
      policy: [
        { tool: "lookup*", then: "allow" },
        { tool: "refund", when: { amount: { lte: 50 } }, then: "allow" },
        { tool: "refund", then: "ask", reason: "A refund of more than 50" },
      ],
    }),
  );
