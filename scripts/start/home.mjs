/** The folder that holds all that one `npm start` keeps: events, notebooks, logs, the course key. */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { SetupError } from '../setup/errors.mjs';
import { ROOT } from '../setup/paths.mjs';

const SAMPLE = join(ROOT, 'examples', 'sample.ipynb');

/**
 * @param {string} folder made if need be, closed to other users
 */
export function openHome(folder) {
  const root = resolve(folder);
  const home = {
    root,
    data: join(root, 'data'),
    notebooks: join(root, 'notebooks'),
    logs: join(root, 'logs'),
    jupyter: join(root, 'jupyter'),
    keyFile: join(root, 'demo.key'),
    running: join(root, 'running.json')
  };
  for (const dir of [root, home.data, home.notebooks, home.logs]) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  return home;
}

/** A path as short as it can be typed here. */
export function shortPath(path) {
  const from = relative(process.cwd(), path);
  return from.startsWith('..') ? path : from || '.';
}

function isStarter(pid) {
  try {
    process.kill(pid, 0);
    const command = `/proc/${pid}/cmdline`;
    // Numbers are used again after a while: it may be another program by now.
    return (
      !existsSync(command) ||
      readFileSync(command, 'utf8').includes('start.mjs')
    );
  } catch {
    return false;
  }
}

/**
 * Takes the folder for this process.
 * @returns {(page: string) => void} notes where the page is, for whoever comes second
 * @throws {SetupError} when another start has it
 */
export function claimHome(home) {
  if (existsSync(home.running)) {
    let other = {};
    try {
      other = JSON.parse(readFileSync(home.running, 'utf8'));
    } catch {
      // Cut off in the middle: nobody is running with it.
    }
    if (other.pid !== process.pid && isStarter(other.pid)) {
      throw new SetupError(
        `It is running already (process ${other.pid}${other.page ? `, ${other.page}` : ''}).`,
        `Stop that one with Ctrl-C, or start a second one with a folder of its own:\n  npm start -- --data ${shortPath(home.root)}-2`
      );
    }
  }
  const note = page =>
    writeFileSync(home.running, JSON.stringify({ pid: process.pid, page }), {
      mode: 0o600
    });
  note();
  return note;
}

/** Lets go of the folder. */
export function releaseHome(home) {
  rmSync(home.running, { force: true });
}

const hash = file =>
  createHash('sha256').update(readFileSync(file)).digest('hex');

/**
 * Puts the sample notebook into the working folder. One that was worked in stays as it is;
 * one that nobody has touched follows the sample.
 * @returns {string} its name in the folder
 */
export function placeSample(home, sample = SAMPLE) {
  const copy = join(home.notebooks, 'sample.ipynb');
  const mark = join(home.root, 'sample.sha256');
  const untouched =
    existsSync(copy) &&
    existsSync(mark) &&
    readFileSync(mark, 'utf8') === hash(copy);
  if (!existsSync(copy) || untouched) {
    copyFileSync(sample, copy);
    writeFileSync(mark, hash(copy));
  }
  return 'sample.ipynb';
}
