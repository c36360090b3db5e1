// An agent as a process of its own: asks for one refund, prints what happens, and dies when it is told to.
import { appendFileSync } from "node:fs";
import { createGuard } from "@guard/core";

const [directory = "", effects = ""] = process.argv.slice(2);
const say = (event: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const guard = createGuard({
  approvers: ["alice@example.com"],
  directory,
  onPending: ({ request, joined }) => {
    say("pending", { request, joined });
  },
});
try {
  const result = await guard.run(
    { tool: "refund", args: { order: "A-1", amount: 900 }, session: "ticket-7" },
    ({ args }) => {
      appendFileSync(effects, `${JSON.stringify(args)}\n`);
      return "refunded";
    },
  );
  say("ran", { result });
} catch (error) {
  say("refused", { code: (error as { code?: string }).code ?? String(error) });
} finally {
  await guard.close();
}
