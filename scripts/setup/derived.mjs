/** Files in the repository that are written from the contract. */
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { run } from './run.mjs';

const WRITERS = ['scripts/schemas.mjs', 'scripts/events-doc.mjs'];

/** Writes them anew; one that is current is not touched. */
export async function writeDerivedFiles() {
  for (const writer of WRITERS) {
    await run(process.execPath, [join(ROOT, writer)], { cwd: ROOT });
  }
  return 'current';
}
