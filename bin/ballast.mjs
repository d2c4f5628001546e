#!/usr/bin/env node
import { runWithDeps } from './with-deps.mjs';

await runWithDeps('sandbox-server/cli/main.ts', process.argv.slice(2));
