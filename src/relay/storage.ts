/** What the relay keeps on its disk: event log and dead letters, and the room that must stay free there. */
import type { Logger } from 'pino';
import type { RelayConfig } from './config/options.js';
import { furthestCursor } from './feeders.js';
import type { DataPaths } from './files.js';
import { watchLog, type WatchedLog } from './health.js';
import { watchDisk, type DiskReserve } from './log/diskReserve.js';
import { openLog } from './log/openLog.js';
import type { EventLog } from './log/types.js';
import { openDeadLetters, type DeadLetters } from './pipeline/deadLetters.js';

/** Everything opened, to be closed in the end. */
export interface Storage {
  log: EventLog;
  /** The log as the door appends to it. */
  watched: WatchedLog;
  reserve: DiskReserve;
  deadLetters: DeadLetters;
  /** Closes what is there, the log last. */
  close(): Promise<void>;
}

/** Opens the storage. @throws what opening the log throws; nothing is left open then. */
export async function openStorage(
  config: RelayConfig,
  paths: DataPaths,
  logger: Logger
): Promise<Storage> {
  const log = await openLog(config['log-engine'], {
    dir: paths.log,
    segmentBytes: config['segment-bytes'],
    startAt: await furthestCursor(paths.cursors)
  });
  let reserve: DiskReserve | undefined;
  let deadLetters: DeadLetters | undefined;
  async function close(): Promise<void> {
    await deadLetters?.close();
    reserve?.stop();
    await log.close();
  }
  try {
    reserve = await watchDisk({
      folder: paths.log,
      bytes: config['disk-reserve-bytes']
    });
    deadLetters = await openDeadLetters(paths.deadLetters, {
      maxBytes: config['dead-letter-bytes'],
      onEvicted: count =>
        logger.error(
          { count },
          'no room for the oldest dead letters (dead-letter-bytes)'
        )
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    log,
    watched: watchLog(log, Date.now, reserve),
    reserve,
    deadLetters,
    close
  };
}
