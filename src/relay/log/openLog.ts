/** Opens the event log in the engine that the configuration names. */
import { readdir } from 'node:fs/promises';
import { firstSeqOf } from './format.js';
import { LMDB_FILE, openLmdbLog } from './lmdbLog.js';
import { openSegmentLog, type SegmentLogOptions } from './segmentLog.js';
import { LogFormatError, type EventLog } from './types.js';

/** How a log can be stored. */
export type LogEngine = 'segments' | 'lmdb';

/**
 * Opens the log in `options.dir`.
 *
 * @throws LogFormatError if the folder holds a log of the other engine.
 * @throws whatever the engine's opening throws.
 */
export async function openLog(
  engine: LogEngine,
  options: SegmentLogOptions
): Promise<EventLog> {
  const found = await engineIn(options.dir);
  if (found !== undefined && found !== engine) {
    throw new LogFormatError(
      `${options.dir} holds an event log of the engine ${found}, and --log-engine says ${engine}. Start with --log-engine ${found}, or choose another data folder.`
    );
  }
  return engine === 'lmdb' ? openLmdbLog(options) : openSegmentLog(options);
}

/** The engine whose files are in a folder; undefined where there is no log yet. */
export async function engineIn(folder: string): Promise<LogEngine | undefined> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.includes(LMDB_FILE)
    ? 'lmdb'
    : names.some(name => firstSeqOf(name) !== undefined)
      ? 'segments'
      : undefined;
}
