#!/usr/bin/env node
/** `npm run build`: everything that is built from the sources, and the files that are written from them. */
import { writeDerivedFiles } from './setup/derived.mjs';
import { ensureBuilds } from './setup/builds.mjs';
import { explain } from './setup/errors.mjs';
import { withLock } from './setup/lock.mjs';
import { join } from 'node:path';
import { CACHE } from './setup/paths.mjs';
import { createReport } from './setup/report.mjs';

// Standard output belongs to whoever calls: `npm pack --json` runs this.
const report = createReport({ stream: process.stderr });
try {
  await withLock(join(CACHE, 'setup.lock'), async () => {
    await report.step('Builds', ensureBuilds);
    await report.step('Schemas, tables', writeDerivedFiles);
  });
} catch (error) {
  report.print(explain(error, Infinity));
  process.exitCode = 1;
}
