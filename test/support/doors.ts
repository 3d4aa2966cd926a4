/** Several relays that belong together: the same courses, and what is in their logs. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recordsOf } from '../../src/relay/log/contents.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';

/** Gives the relay in `to` the courses of the one in `from`. */
export async function copyCourses(from: string, to: string): Promise<void> {
  await copyFile(join(from, 'courses.json'), join(to, 'courses.json'));
}

/** The ids of all events in the log of a relay that is not running, in order. */
export async function uuidsInLog(data: string): Promise<string[]> {
  const log = await openSegmentLog({ dir: join(data, 'log') });
  const uuids: string[] = [];
  try {
    for await (const record of log.read(1)) {
      uuids.push(...recordsOf(record).map(({ uuid }) => uuid ?? 'none'));
    }
  } finally {
    await log.close();
  }
  return uuids;
}
