/** Installs Debian packages where that is possible: as root, with apt-get at hand. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CommandError } from './errors.mjs';
import { run } from './run.mjs';

/**
 * Where a command is.
 * @param {string} name
 * @param {string} [path] folders to look in; default: `PATH`
 * @returns {string | undefined}
 */
export function which(name, path = process.env.PATH ?? '') {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    try {
      if (folder) {
        accessSync(file, constants.X_OK);
        return file;
      }
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Whether `aptInstall` can work. @param {string} [path] see `which` */
export function canInstall(path, uid = process.getuid?.()) {
  return uid === 0 && which('apt-get', path) !== undefined;
}

/** @param {readonly string[]} packages @returns {string} the command a person would type */
export function aptLine(packages) {
  return `apt-get install -y ${packages.join(' ')}`;
}

/**
 * Installs packages.
 * @param {readonly string[]} packages
 * @param {string} [path] see `which`
 * @throws {CommandError} with what apt said
 */
export async function aptInstall(packages, path = process.env.PATH ?? '') {
  const apt = which('apt-get', path) ?? 'apt-get';
  const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
  // Another apt may be at work on a machine that has just been set up.
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  // One unreachable source fails the update; the package may be known all the same.
  await run(apt, [...wait, '-q', 'update'], { env }).catch(error => {
    if (!(error instanceof CommandError)) {
      throw error;
    }
  });
  await run(apt, [...wait, '-q', 'install', '-y', ...packages], { env });
}
