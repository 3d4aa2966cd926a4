/** Looks through the newest files of an event log that no relay has open, without changing anything. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeDisk } from '../log/disk.js';
import {
  decodeSegmentHeader,
  firstSeqOf,
  FORMAT_VERSION,
  SEGMENT_HEADER_BYTES
} from '../log/format.js';
import { scan } from '../log/scan.js';
import type { LogStatus } from '../log/types.js';
import { about, bytesOf, type Finding } from './findings.js';

const log = about('event log');

/** How much is read, the newest first. */
const READ_BYTES = 128 * 1024 * 1024;
/** A record from further in the future means that the clock was set back. */
const AHEAD_MS = 60_000;

/** What the log of a running relay says of itself. */
export function judgeStatus({
  last,
  bytes,
  segments,
  damaged,
  tornBytes
}: LogStatus): Finding[] {
  return [
    log.ok(
      `${last} requests accepted so far; ${bytesOf(bytes)} in ${segments} files`
    ),
    ...(tornBytes > 0
      ? [
          log.ok(
            `${bytesOf(tornBytes)} of an unacknowledged end were cut off at the start, as after a crash`
          )
        ]
      : []),
    ...(damaged > 0 ? [damage(damaged)] : [])
  ];
}

/** Reads the newest files of the folder. @param now in ms since 1970. */
export async function checkLog(dir: string, now: number): Promise<Finding[]> {
  const names = (await readdir(dir).catch(() => []))
    .filter(name => firstSeqOf(name) !== undefined)
    .sort();
  if (names.length === 0) {
    return [log.ok('there are no events yet')];
  }
  let left = READ_BYTES;
  let [damaged, records, lastSeq, latest] = [0, 0, 0, 0];
  for (const name of names.reverse()) {
    if (left <= 0) {
      break;
    }
    const file = await nodeDisk.open(join(dir, name), 'read');
    try {
      const size = await file.size();
      const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
      await file.read(bytes, 0);
      const { header, damagedAt } = decodeSegmentHeader(bytes);
      if (header && header.version !== FORMAT_VERSION) {
        return [
          log.problem(
            `${name} was written by a later version`,
            'Install that version again, or restore a backup.'
          )
        ];
      }
      damaged += damagedAt.length > 0 && size > SEGMENT_HEADER_BYTES ? 1 : 0;
      // What is damaged up to a file's end may never have been acknowledged.
      let open = false;
      for await (const found of scan(file, {
        from: SEGMENT_HEADER_BYTES,
        to: size,
        seq: firstSeqOf(name)!,
        id: header?.id
      })) {
        if (found.kind === 'damage') {
          open = true;
          continue;
        }
        damaged += open ? 1 : 0;
        open = false;
        records += 1;
        lastSeq = Math.max(lastSeq, found.seq);
        latest = Math.max(latest, Date.parse(found.header.at) || 0);
      }
      left -= size;
    } finally {
      await file.close();
    }
  }
  return [
    damaged > 0
      ? damage(damaged)
      : log.ok(
          left > 0
            ? `all ${records} records are sound, up to number ${lastSeq}`
            : `the newest ${records} records are sound, up to number ${lastSeq}`
        ),
    ...(latest > now + AHEAD_MS
      ? [
          about('clock').warn(
            `the latest record is from ${new Date(latest).toISOString()}, which is still to come`,
            'The clock was set back; see that it is synchronised (timedatectl).'
          )
        ]
      : [])
  ];
}

function damage(count: number): Finding {
  return log.problem(
    `${count} damaged ${count === 1 ? 'place' : 'places'}; readers skip ${count === 1 ? 'it' : 'them'}`,
    'Check the disk (smartctl), and restore the log from a backup if there is one: docs/operations.md.'
  );
}
