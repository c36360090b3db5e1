#!/usr/bin/env node
import { runGuard } from "./program.ts";
import { taken } from "./terminal.ts";

const code = await runGuard(process.argv.slice(2));
// What a pipe did not take yet would be cut off. Waiting for all else to end by itself could take for ever.
await Promise.all([taken(process.stdout), taken(process.stderr)]);
process.exit(code);
