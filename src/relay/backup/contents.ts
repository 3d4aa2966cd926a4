/** Which files of a data folder belong in a backup, and in which order they are copied while a relay writes. */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { DataPaths } from '../files.js';

/** Of this process, or not finished: a lock, a file that is being made, the address of a relay that runs. */
const PASSING = /(\.lock|\.tmp|\.takeover)$|\.lock\.|\.tmp\./;

/**
 * The parts of a folder in the order to copy them:
 *
 * - `places` of the sinks, so that none is beyond the log that is listed and copied after them,
 *   and the inbox, from where events go into that log;
 * - `events`: the log, oldest file first, and the dead letters; what is acknowledged is in them;
 * - `rest`, small files, so that every course, key and pseudonym that the log names is in them.
 */
export const PARTS = ['places', 'events', 'rest'] as const;

/** One part of a data folder. */
export type Part = (typeof PARTS)[number];

/** The part's files as they are now, as paths below the folder with slashes. */
export async function filesOf(paths: DataPaths, part: Part): Promise<string[]> {
  const entries = await readdir(paths.folder, {
    recursive: true,
    withFileTypes: true
  });
  return entries
    .filter(entry => entry.isFile() && !PASSING.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => partOf(paths, file) === part)
    .map(file => relative(paths.folder, file).split(sep).join('/'))
    .sort();
}

function partOf(paths: DataPaths, file: string): Part | null {
  if (file === paths.address || file === paths.doorId) {
    // Of the relay that runs; and the log that is brought back counts on from an earlier number,
    // so that the shared log would take its messages for ones that it has.
    return null;
  }
  return file.startsWith(paths.cursors + sep) ||
    // What leaves the inbox is in the event log by then.
    file === paths.inboxPlace ||
    file.startsWith(paths.inbox + sep)
    ? 'places'
    : file.startsWith(paths.log + sep) || file.startsWith(paths.deadLetters)
      ? 'events'
      : 'rest';
}
