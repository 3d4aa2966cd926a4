/** Finds promtool, which checks metrics and rules for Prometheus, or unpacks Debian's. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { which } from './apt.mjs';
import { SetupError } from './errors.mjs';
import { CACHE } from './paths.mjs';
import { run } from './run.mjs';

/**
 * @returns {Promise<string>} its path; the package is downloaded but not installed, so that no
 *   service starts
 * @throws {SetupError} that says what to install
 */
export async function ensurePromtool() {
  const folder = join(CACHE, 'prometheus');
  const unpacked = join(folder, 'usr', 'bin', 'promtool');
  const found =
    which('promtool') ?? (existsSync(unpacked) ? unpacked : undefined);
  if (found) {
    return found;
  }
  const fresh = `${folder}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true });
    await run('apt-get', ['-q', 'download', 'prometheus'], { cwd: fresh });
    const [deb] = await readdir(fresh);
    await run('dpkg', ['-x', join(fresh, deb), fresh]);
    await rm(join(fresh, deb));
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
    return unpacked;
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw new SetupError(
      'The tests of the metrics need promtool, and it could not be had.',
      `${error.message}\nDebian: sudo apt-get install -y prometheus\nOthers: https://prometheus.io/download/`
    );
  }
}
