// Writes vectors/guard-v1: the same bytes every time, since its keys, times and randomness are fixed.
//   node --conditions=@guard/source tools/make-vectors.ts           writes the files
//   node --conditions=@guard/source tools/make-vectors.ts --check   compares them, and exits with 1 where one differs
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { statements } from "./vectors/answers.ts";
import { conversations } from "./vectors/conversations.ts";
import { enrolments } from "./vectors/enrolments.ts";
import { evidence } from "./vectors/evidence.ts";
import { files as evidenceFiles } from "./vectors/files.ts";
import { outcomes } from "./vectors/outcomes.ts";
import { actions, canonical, connections, keys } from "./vectors/plain.ts";
import { replaceRandomness } from "./vectors/random.ts";
import { sealedReplies } from "./vectors/replies.ts";
import { sealedRequests } from "./vectors/requests.ts";
import { rosters } from "./vectors/rosters.ts";
import { makeWorld, type VectorFile } from "./vectors/world.ts";

replaceRandomness();
const world = await makeWorld();
const files: Readonly<Record<string, VectorFile>> = {
  canonical: canonical(),
  actions: actions(world),
  keys: keys(world),
  connections: connections(world),
  rosters: await rosters(world),
  requests: await sealedRequests(world),
  replies: await sealedReplies(world),
  statements: await statements(world),
  outcomes: outcomes(world),
  conversations: await conversations(world),
  enrolments: await enrolments(world),
  evidence: await evidence(world),
  files: await evidenceFiles(world),
};

const directory = join(import.meta.dirname, "..", "vectors", "guard-v1");
const check = process.argv.includes("--check");
mkdirSync(directory, { recursive: true });
for (const [name, content] of Object.entries(files)) {
  const file = join(directory, `${name}.json`);
  const text = `${JSON.stringify(content, null, 1)}\n`;
  const there = existsSync(file) ? readFileSync(file, "utf8") : null;
  if (check && there !== text) {
    console.error(
      `vectors/guard-v1/${name}.json differs from what tools/make-vectors.ts makes. Run it, and look at the difference.`,
    );
    process.exitCode = 1;
  }
  if (!check) writeFileSync(file, text);
}
console.log(`vectors: ${Object.keys(files).length} files ${check ? "compared" : "written"}`);
