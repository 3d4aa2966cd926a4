/** Finds the nats-server for the tests of several relays, or installs Debian's. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, aptLine, canInstall, which } from './apt.mjs';
import { CommandError, SetupError } from './errors.mjs';
import { CACHE } from './paths.mjs';
import { run } from './run.mjs';

const PACKAGE = 'nats-server';

/** @returns {Promise<string | undefined>} `2.9.10`, nothing if it does not run */
function version(file) {
  return new Promise(resolve => {
    execFile(file, ['--version'], { timeout: 30_000 }, (error, stdout) => {
      const text = /\d+\.\d+\.\d+/.exec(stdout ?? '');
      resolve(error || !text ? undefined : text[0]);
    });
  });
}

/**
 * @param {string} [path] folders to look in; default: `PATH`, and where Debian puts it
 * @param {string} [cache] folder into which it is unpacked where it cannot be installed
 * @returns {Promise<{file: string, version: string} | undefined>}
 */
export async function findNats(
  path = `${process.env.PATH ?? ''}:/usr/sbin`,
  cache = CACHE
) {
  const files = [
    process.env.NATS_SERVER,
    which(PACKAGE, path),
    join(cache, 'nats', 'usr', 'sbin', PACKAGE)
  ];
  for (const file of files) {
    const found = file && existsSync(file) ? await version(file) : undefined;
    if (found) {
      return { file, version: found };
    }
  }
  return undefined;
}

/** Unpacks Debian's package beside the checkout's other downloads; needs no rights. */
async function unpack(cache) {
  const folder = join(cache, 'nats');
  mkdirSync(folder, { recursive: true });
  await run('apt-get', ['-q', 'download', PACKAGE], { cwd: folder });
  const file = readdirSync(folder).find(name => name.endsWith('.deb'));
  await run('dpkg', ['-x', join(folder, file), folder]);
}

/** Tries one way; a failure is kept for the message. */
async function attempt(work, failures) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CommandError)) {
      throw error;
    }
    failures.push(
      `${error.message}: ${error.output.trim().split('\n').at(-1)}`
    );
  }
}

/**
 * @param {(text: string) => void} note told what is being done
 * @param {string} [path] see `findNats`
 * @param {string} [cache] see `findNats`
 * @returns {Promise<{file: string, version: string}>}
 * @throws {SetupError} that says what to install
 */
export async function ensureNats(note, path, cache = CACHE) {
  const failures = [];
  let found = await findNats(path, cache);
  if (!found && canInstall(path)) {
    note(aptLine([PACKAGE]));
    await attempt(() => aptInstall([PACKAGE]), failures);
    found = await findNats(path, cache);
  }
  if (!found && which('apt-get', path)) {
    note(`apt-get download ${PACKAGE}`);
    await attempt(() => unpack(cache), failures);
    found = await findNats(path, cache);
  }
  if (!found) {
    throw new SetupError(
      'The tests of several relays need nats-server, and it could not be installed.',
      [
        ...failures,
        'Debian: sudo apt-get install -y nats-server',
        'Others: https://docs.nats.io/running-a-nats-service/introduction/installation',
        'If it is not on the PATH: NATS_SERVER=/path/to/nats-server npm test',
        'Without it: npm test -- --suite unit python browser packaging'
      ].join('\n')
    );
  }
  return found;
}
