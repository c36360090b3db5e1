// Installs the packed tarballs into an empty project with plain npm, as a new user would, and makes a short
// program typecheck and run there. Fails where a tarball lacks a file, a type or a dependency.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const packages = ["core", "device", "relay", "testing", "cli", "vercel-ai"];
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, { cwd, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });

const project = mkdtempSync(join(tmpdir(), "guard-packed-"));
try {
  const tarballs = join(project, "tarballs");
  mkdirSync(tarballs);
  for (const name of packages) {
    run("npx", ["-y", "pnpm@12.21.0", "pack", "--pack-destination", tarballs], join(root, "packages", name));
  }
  const files = readdirSync(tarballs).map((file) => join(tarballs, file));
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "empty", private: true, type: "module" }),
  );
  const others = [
    "ai@7.0.173",
    "zod@4.6.7",
    "typescript@7.0.2",
    "@types/node@24.10.0",
    "@types/json-schema@7.0.15",
  ];
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...files, ...others], project);
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2023",
        lib: ["es2024", "esnext.disposable", "dom"],
        strict: true,
        noEmit: true,
        types: ["node"],
      },
      include: ["*.ts"],
    }),
  );
  writeFileSync(
    join(project, "program.ts"),
    `import { generateText, isStepCount, tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";
import { type Guard, isGuardError } from "@guard/core";
import { testGuard } from "@guard/testing";
import { guardTools } from "@guard/vercel-ai";

const { guard, approver, close } = await testGuard({
  policy: [{ tool: "refund", when: { amount: { lte: 50 } }, then: "allow" }],
});
const typed: Guard = guard;
const refunds: number[] = [];
const refund = tool({
  inputSchema: z.object({ order: z.string(), amount: z.number() }),
  execute: async ({ amount }) => {
    refunds.push(amount);
    return { refunded: amount };
  },
});
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
let step = 0;
const model = new MockLanguageModelV4({
  doGenerate: async () =>
    step++ > 0
      ? { content: [{ type: "text", text: "done" }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] }
      : {
          content: [20, 900].map((amount) => ({
            type: "tool-call" as const,
            toolCallId: "call-" + amount,
            toolName: "refund",
            input: JSON.stringify({ order: "A-1", amount }),
          })),
          finishReason: { unified: "tool-calls", raw: undefined },
          usage,
          warnings: [],
        },
});
approver.expect("refund", { order: "A-1", amount: 900 }).edit({ order: "A-1", amount: 90 });
const result = await generateText({
  model,
  prompt: "refund",
  tools: guardTools({ refund }, { guard: typed, session: "s" }),
  stopWhen: isStepCount(3),
});
const output: number | undefined = result.steps[0]?.toolResults.find((part) => !part.dynamic)?.output.refunded;
approver.done();
await close();
refunds.sort((a, b) => a - b);
if (JSON.stringify(refunds) !== "[20,90]" || output === undefined || isGuardError(new Error("x"))) {
  throw new Error("the packed packages do not work: " + JSON.stringify(refunds));
}
console.log("packed packages work");
`,
  );
  console.log(
    run(process.execPath, [join(project, "node_modules", "typescript", "bin", "tsc"), "-p", "."], project),
  );
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  console.log(
    execFileSync(process.execPath, ["program.ts"], {
      cwd: project,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    }),
  );
} finally {
  rmSync(project, { recursive: true, force: true });
}
