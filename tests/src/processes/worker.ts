// An application at the edge: a fetch handler with a guard, as somebody writes it for workerd. It answers with
// what ran, what was refused and what the guard recorded.
import { createGuard, isGuardError, kemProvider, memoryEvidence } from "@guard/core";

interface Ask {
  readonly connection: string;
  readonly approver: string;
  readonly amounts: readonly number[];
}

async function session({ connection, approver, amounts }: Ask) {
  const ran: unknown[] = [];
  const refused: unknown[] = [];
  const evidence = memoryEvidence();
  const guard = createGuard({
    connection,
    evidence,
    approvers: [approver],
    policy: [{ tool: "refund", when: { amount: { lte: 50 } }, then: "allow" }],
  });
  for (const amount of amounts) {
    try {
      await guard.run({ tool: "refund", args: { amount } }, ({ args }) => ran.push(args));
    } catch (error) {
      if (!isGuardError(error, "rejected")) throw error;
      refused.push({ amount, reason: (error as { reason?: unknown }).reason });
    }
  }
  await guard.close();
  const { lines, checkpoint } = evidence;
  return { ran, refused, lines, checkpoint };
}

function withoutEvidence(connection: string): string {
  try {
    createGuard({ connection, approvers: ["alice@example.com"] });
    return "made";
  } catch (error) {
    return isGuardError(error) ? error.code : String(error);
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    const ask = (await request.json()) as Ask;
    try {
      const { userAgent } = navigator;
      const process = typeof globalThis.process?.getBuiltinModule === "function";
      const runtime = {
        userAgent,
        kem: kemProvider(),
        process,
        withoutEvidence: withoutEvidence(ask.connection),
      };
      return Response.json({ ...runtime, ...(await session(ask)) });
    } catch (error) {
      return new Response(error instanceof Error ? (error.stack ?? error.message) : String(error), {
        status: 500,
      });
    }
  },
};
