/** Fills the door's memory of ids from the log, so that a restart forgets no duplicate. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { recordsOf } from '../log/contents.js';
import type { EventLog, LogRecord } from '../log/types.js';
import type { DuplicateWindow } from './duplicates.js';

/** Longest stretch of work without letting others have their turn, in milliseconds. */
const SLICE_MS = 10;

/** Remembers the ids of all events that were received since `sinceMs`; returns how many. */
export async function rebuildWindow(
  log: Pick<EventLog, 'read'>,
  duplicates: Pick<DuplicateWindow, 'add'>,
  sinceMs: number
): Promise<number> {
  const since = new Date(sinceMs).toISOString();
  let count = 0;
  let turn = performance.now();
  for await (const record of log.read(1)) {
    if (arrivalOf(record) >= since) {
      count += remember(record, duplicates);
    }
    if (performance.now() - turn > SLICE_MS) {
      await nextTurn();
      turn = performance.now();
    }
  }
  return count;
}

function remember(
  record: LogRecord,
  duplicates: Pick<DuplicateWindow, 'add'>
): number {
  const { course } = record.header;
  const ms = Date.parse(arrivalOf(record));
  let count = 0;
  for (const event of readable(record)) {
    if (event.uuid !== undefined && duplicates.add(course, event.uuid, ms)) {
      count += 1;
    }
  }
  return count;
}

/** When it came to this relay: later than its receipt, where another relay's door received it. */
function arrivalOf({ header }: LogRecord): string {
  return header.from?.at ?? header.at;
}

function readable(record: LogRecord): ReturnType<typeof recordsOf> {
  try {
    return recordsOf(record);
  } catch {
    // Not written by this relay; the feeders set it aside and say so.
    return [];
  }
}
