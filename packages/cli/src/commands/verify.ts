/**
 * `guard verify`: checks evidence offline, each file by itself and all of them against each other. It asks no
 * relay and trusts none.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  appOf,
  type ChainReport,
  ConfigurationError,
  type Equivocation,
  findEquivocation,
  parseCheckpoint,
  type Roster,
  readEntry,
  readEvidence,
  readRoster,
  verifyChain,
} from "@guard/core";
import { visible } from "@guard/device";
import type { Command } from "commander";
import { type Home, readRosterFile } from "../home.ts";
import { print } from "../terminal.ts";
import { homeOf } from "./context.ts";

interface VerifyOptions {
  readonly root: string;
  readonly roster?: string;
  readonly checkpoint?: string;
  readonly json?: boolean;
}

export function addVerify(program: Command): void {
  program
    .command("verify")
    .argument("<files...>", "evidence files, for instance of all processes of an agent")
    .description("check evidence files offline: links, signatures, approvals, receipts")
    .requiredOption("--root <key>", "the app id, or its first root key, as you know it from the owner")
    .option("--roster <file>", 'signed entries ("guard roster --out"); default: those kept here')
    .option(
      "--checkpoint <file>",
      "the newest checkpoint that you have; default: FILE.checkpoint where it is",
    )
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      `
Ends with 0 if everything holds, with 1 if anything does not. Of several files it also checks that no approval
was used by two of them, which proves that the relay lied or was restored from an old copy.

Example:
  guard verify billing.jsonl --root 3fK9… --roster roster.json`,
    )
    .action(async (files: string[], options: VerifyOptions, command: Command) => {
      if (files.length > 1 && options.checkpoint !== undefined) {
        throw new ConfigurationError("--checkpoint is about one file. Verify that file by itself.");
      }
      const roster = await pinnedRoster(homeOf(command), options);
      const reports: ChainReport[] = [];
      for (const file of files) reports.push(await verifyFile(file, roster, options));
      const equivocations = findEquivocation(reports);
      const [only] = reports;
      if (options.json) {
        const all = { files: reports.map((report, i) => ({ file: files[i], ...report })), equivocations };
        print(JSON.stringify(files.length === 1 ? only : all, null, 2));
      } else {
        for (const [i, report] of reports.entries()) {
          if (files.length > 1) print(`file         ${visible(files[i] as string)}`);
          for (const line of reportLines(report)) print(line);
        }
        for (const line of equivocationLines(equivocations)) print(line);
      }
      if (equivocations.length > 0 || reports.some((report) => !report.valid)) process.exitCode = 1;
    });
}

async function verifyFile(file: string, roster: Roster, options: VerifyOptions): Promise<ChainReport> {
  const kept = options.checkpoint ?? (existsSync(`${file}.checkpoint`) ? `${file}.checkpoint` : null);
  const checkpoint = kept === null ? null : parseCheckpoint(await readFile(kept, "utf8"));
  return verifyChain(readEvidence(file), { roster, checkpoint, expectedApp: roster.app });
}

async function pinnedRoster(home: Home, { root, roster: file }: VerifyOptions): Promise<Roster> {
  const entries = file === undefined ? await home.roster.load() : await readRosterFile(file);
  const first = entries?.[0];
  if (!entries || !first) {
    throw new ConfigurationError(
      'There is no roster here. Name its file with --roster ("guard roster --out" writes it).',
    );
  }
  const { app } = readEntry(first);
  // The app id, or a root key of either kind: no other text makes this app.
  const kinds = ["ed25519", "p256"] as const;
  const pins = [root, ...kinds.map((kind) => appOf({ kind, publicKey: root }))];
  if (!pins.includes(app)) {
    throw new ConfigurationError("The roster is not of that root: another app's, or it was replaced.");
  }
  return readRoster(entries, { app });
}

/** The report for people. */
function reportLines(report: ChainReport): readonly string[] {
  const lines = [
    report.valid ? "VALID" : "NOT VALID",
    `chain        ${report.chain ?? "?"}`,
    `app          ${visible(report.app ?? "?")}`,
    `agent        ${visible(report.agent ?? "?")}`,
    `events       ${report.events} linked, ${report.checkpoints} checkpoints, ${report.uncovered} after the last one`,
    `calls        ${Object.entries(report.calls)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ")}`,
  ];
  for (const request of report.requests) {
    const facts = Object.entries(request)
      .filter(([name, value]) => name !== "request" && value !== null)
      .map(
        ([name, value]) => `${name} ${visible(Array.isArray(value) ? value.join(" and ") : String(value))}`,
      );
    lines.push(`request      ${visible(request.request.slice(0, 8))}  ${facts.join("  ")}`);
  }
  if (report.firstBad) lines.push(`first bad    event ${report.firstBad.seq}, line ${report.firstBad.line}`);
  for (const problem of report.problems) lines.push(`problem      ${visible(problem)}`);
  return lines;
}

/** What the files prove together. */
function equivocationLines(equivocations: readonly Equivocation[]): readonly string[] {
  return equivocations.flatMap(({ request, uses }) => [
    `USED TWICE   request ${visible(request)}: the relay gave one approval to ${uses.length} attempts. It lied, or was restored from an old copy.`,
    ...uses.map(
      ({ chain, attempt, relay, time }) =>
        `receipt      chain ${chain ?? "?"}  attempt ${attempt}  relay ${visible(relay)}  ${new Date(time).toISOString()}`,
    ),
  ]);
}
