#!/usr/bin/env node
import { runGuard } from "./program.ts";

process.exit(await runGuard(process.argv.slice(2)));
