/** Checks Node and installs the packages that package-lock.json lists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { ROOT } from './paths.mjs';
import { run } from './run.mjs';

const OLDEST = [20, 20];

/**
 * @param {string} [version] as `process.versions.node` has it
 * @throws {SetupError} when it is too old
 */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new SetupError(
      `Node ${OLDEST.join('.')} or later is needed, this is ${version}.`,
      'Get it from https://nodejs.org or with a version manager: nvm install 22'
    );
  }
}

/** @throws {SetupError} where processes cannot be ended in groups */
export function checkPlatform(platform = process.platform) {
  if (platform === 'win32') {
    throw new SetupError(
      'This does not run on Windows itself.',
      'Use the Windows Subsystem for Linux: https://learn.microsoft.com/windows/wsl/install'
    );
  }
}

/**
 * Whether what npm says it installed is what the lock file asks for.
 * @param {{packages: Record<string, any>}} lock package-lock.json
 * @param {{packages: Record<string, any>} | undefined} installed node_modules/.package-lock.json
 * @param {Record<string, any>} manifest package.json
 * @returns {boolean}
 */
export function matchesLock(lock, installed, manifest) {
  if (installed === undefined) {
    return false;
  }
  for (const kind of ['dependencies', 'devDependencies']) {
    const wanted = JSON.stringify(manifest[kind] ?? {});
    if (wanted !== JSON.stringify(lock.packages['']?.[kind] ?? {})) {
      return false;
    }
  }
  return Object.entries(lock.packages).every(
    ([place, { version, optional, link }]) =>
      !place.startsWith('node_modules/') ||
      // Optional ones are left out where they do not fit the machine.
      (optional && !installed.packages[place]) ||
      (link && installed.packages[place]?.link) ||
      installed.packages[place]?.version === version
  );
}

function readJson(name) {
  const file = join(ROOT, name);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/**
 * @param {(text: string) => void} note told what is being done
 * @returns {Promise<string>}
 */
export async function ensureNodePackages(note) {
  const lock = readJson('package-lock.json');
  const installed = readJson('node_modules/.package-lock.json');
  if (matchesLock(lock, installed, readJson('package.json'))) {
    return 'up to date';
  }
  note('npm ci');
  const args = ['ci', '--no-audit', '--no-fund'];
  // Under `npm start` this is the very npm that the user called.
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) {
    await run(process.execPath, [npm, ...args], { cwd: ROOT });
  } else {
    await run('npm', args, { cwd: ROOT });
  }
  return 'installed';
}
