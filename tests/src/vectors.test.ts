/**
 * Our own code against vectors/guard-v1, every file and every case: what docs/protocol.md says is what these files
 * show and what the code does. A file without a reader fails.
 */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readOutcomes, readStatements } from "./vectors/answers.ts";
import { readChains, readFiles } from "./vectors/evidence.ts";
import { readActions, readCanonical, readConnections, readKeys } from "./vectors/plain.ts";
import { readConversations } from "./vectors/relay.ts";
import { readEnrolments, readRosters } from "./vectors/rosters.ts";
import { readReplies, readRequests } from "./vectors/sealed.ts";
import { directory, load, root } from "./vectors/shared.ts";

const files = readdirSync(directory).sort();

/** The file's name → how it is read. Each declares its own tests. */
const readers: Readonly<Record<string, (file: string) => void>> = {
  "canonical.json": readCanonical,
  "actions.json": readActions,
  "keys.json": readKeys,
  "connections.json": readConnections,
  "rosters.json": readRosters,
  "requests.json": readRequests,
  "replies.json": readReplies,
  "statements.json": readStatements,
  "outcomes.json": readOutcomes,
  "conversations.json": readConversations,
  "enrolments.json": readEnrolments,
  "evidence.json": readChains,
  "files.json": readFiles,
};

test("every file has a reader, every reader a file, and every file says what it is", () => {
  expect(files).toEqual(Object.keys(readers).sort());
  for (const file of files) expect(load(file).description.length, file).toBeGreaterThan(40);
});

test("the files are what tools/make-vectors.ts makes", async () => {
  const script = join(root, "tools/make-vectors.ts");
  const run = promisify(execFile)(process.execPath, ["--conditions=@guard/source", script, "--check"]);
  expect((await run).stdout).toContain(`${files.length} files compared`);
}, 60_000);

for (const [file, read] of Object.entries(readers)) describe(file, () => read(file));
