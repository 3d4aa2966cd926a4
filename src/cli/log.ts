/** `log`: shows what is in the event log, checks all of its bytes, and makes it smaller. */
import { furthestCursor } from '../relay/feeders.js';
import { callRelay } from '../relay/control/client.js';
import { boundsOf, startRetention } from '../relay/log/retention.js';
import { compact, type Compacted } from '../relay/log/compact.js';
import { recordsOf } from '../relay/log/contents.js';
import { inspectLog, type Damage } from '../relay/log/inspect.js';
import { openLog } from '../relay/log/openLog.js';
import type { LogRecord } from '../relay/log/types.js';
import {
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command,
  type Invocation
} from './command.js';
import { findPlace } from './place.js';
import { progressBar } from './progress.js';

export const logShowCommand: Command = {
  name: 'log show',
  summary: 'List the records of the event log, one accepted request each',
  args: [],
  options: {
    from: { value: 'SEQ', meaning: 'First sequence number; 1 by default' },
    to: { value: 'SEQ', meaning: 'Last sequence number' },
    course: { value: 'ID', meaning: 'Records of this course only' },
    events: { meaning: 'Print the events as well, without keys' },
    ...PLACE_OPTIONS,
    json: { meaning: 'Print one JSON list' },
    jsonl: { meaning: 'Print one JSON object a line' }
  },
  examples: [
    'log show --course r-intro',
    'log show --from 100 --to 120 --events',
    'log show --events --jsonl'
  ],
  async run(invocation) {
    const { options, print } = invocation;
    const from = seqOption(options['from'], 'from') ?? 1;
    const to = seqOption(options['to'], 'to') ?? Infinity;
    const { paths, running } = await look(invocation);
    const json = options['json'] === true;
    const lines = options['jsonl'] === true;
    const all: object[] = [];
    if (!json && !lines) {
      print(row('SEQ', 'RECEIVED', 'COURSE', 'EVENTS', 'BYTES'));
    }
    for await (const found of inspectLog(paths.log, { from, running })) {
      if (found.kind === 'damage' && !json && !lines) {
        invocation.warn(describe(found.damage));
      }
      if (found.kind !== 'record' || found.record.seq < from) {
        continue;
      }
      const { record } = found;
      if (record.seq > to) {
        break;
      }
      if (
        ![undefined, record.header.course].includes(
          options['course'] as string | undefined
        )
      ) {
        continue;
      }
      const shown = summaryOf(record, options['events'] === true);
      if (json) {
        all.push(shown);
      } else if (lines) {
        print(JSON.stringify(shown));
      } else {
        const { seq, at, course, n, bytes, events } = shown;
        print(row(String(seq), at, course, String(n), String(bytes)));
        events?.forEach(event => print(`    ${JSON.stringify(event)}`));
      }
    }
    if (json) {
      print(JSON.stringify(all, null, 2));
    }
  }
};

export const logVerifyCommand: Command = {
  name: 'log verify',
  summary: 'Read every byte of the event log and report all damage',
  args: [],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['log verify', 'log verify --data /srv/telemetry --json'],
  async run(invocation) {
    const { options, print } = invocation;
    const { paths, running } = await look(invocation);
    const bar = progressBar('Checking');
    const damage: Damage[] = [];
    const seen = { records: 0, events: 0, bytes: 0, first: 0, last: 0 };
    for await (const found of inspectLog(paths.log, { running })) {
      if (found.kind === 'progress') {
        bar.show(found.bytes, found.total);
      } else if (found.kind === 'damage') {
        damage.push(found.damage);
      } else {
        const { seq, header, body } = found.record;
        seen.records += 1;
        seen.events += header.n;
        seen.bytes += body.length;
        seen.first ||= seq;
        seen.last = seq;
      }
    }
    bar.clear();
    if (options['json'] === true) {
      print(JSON.stringify({ ok: damage.length === 0, ...seen, damage }));
    } else {
      damage.forEach(one => print(describe(one)));
      print(
        `${seen.records} records with ${seen.events} events (${seen.first} to ${seen.last}), ${damage.length === 0 ? 'no damage' : `${damage.length} damaged ${damage.length === 1 ? 'place' : 'places'}`}`
      );
    }
    return damage.length === 0 ? 0 : 1;
  }
};

export const logCompactCommand: Command = {
  name: 'log compact',
  summary:
    'Remove what no destination needs any more, and records without events',
  args: [],
  options: {
    before: {
      value: 'DATE',
      meaning:
        'Also remove what was received before, once every destination has it; the page forgets it at the next start'
    },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: ['log compact', 'log compact --before 2026-03-01'],
  async run(invocation) {
    const { options, print } = invocation;
    const before = options['before'] as string | undefined;
    if (before !== undefined && Number.isNaN(Date.parse(before))) {
      throw new UsageError(
        `--before: expected a date such as 2026-03-01, got ${JSON.stringify(before)}.`
      );
    }
    const { config, paths } = await findPlace(invocation);
    const bar = progressBar('Compacting');
    const show = (line: object): void => {
      const { bytes = 0, total = 0 } = line as Partial<Record<string, number>>;
      bar.show(bytes, total);
    };
    const args = before === undefined ? {} : { before };
    const answer = await callRelay(paths, 'log-compact', args, show);
    let done: Compacted;
    if (answer.running) {
      done = answer.result as Compacted;
    } else {
      const log = await openLog(config['log-engine'], {
        dir: paths.log,
        segmentBytes: config['segment-bytes'],
        startAt: await furthestCursor(paths.cursors)
      });
      try {
        const retention = startRetention({
          log,
          bounds: boundsOf(config),
          // Only the relay knows what its destinations still need.
          lowest: () => 1
        });
        done = await compact(
          log,
          retention,
          args,
          show,
          new AbortController().signal
        );
        await retention.stop();
      } finally {
        await log.close();
      }
    }
    bar.clear();
    if (options['json'] === true) {
      print(JSON.stringify(done));
      return;
    }
    print(
      `${done.segments} files removed, ${done.dropped} empty records dropped; the log takes ${done.after} bytes, it took ${done.before}.`
    );
    if (done.heldBy !== null) {
      print(
        answer.running
          ? `More could not be removed: ${done.heldBy} needs it.`
          : 'Older events were left: start the relay, which knows what its destinations still need.'
      );
    }
  }
};

/** The log's place, and whether a relay is at work on it. */
async function look(
  invocation: Invocation
): Promise<{ paths: { log: string }; running: boolean }> {
  const { paths } = await findPlace(invocation);
  const { running } = await callRelay(paths, 'readiness').catch(() => ({
    running: true
  }));
  return { paths, running };
}

interface Shown {
  seq: number;
  at: string;
  course: string;
  n: number;
  bytes: number;
  student?: string;
  events?: unknown[];
}

function summaryOf(record: LogRecord, withEvents: boolean): Shown {
  const { seq, header, body } = record;
  const { at, course, n, student } = header;
  return {
    seq,
    at,
    course,
    n,
    bytes: body.length,
    ...(student === undefined ? {} : { student }),
    ...(withEvents ? { events: eventsOf(record) } : {})
  };
}

/** The events without the keys that clients put into them. */
function eventsOf(record: LogRecord): unknown[] {
  try {
    return recordsOf(record).map(event =>
      JSON.parse(
        JSON.stringify(event, (name, value: unknown) =>
          ['api_key', 'token', '$token'].includes(name) ? undefined : value
        )
      )
    );
  } catch (error) {
    return [{ unreadable: (error as Error).message }];
  }
}

function describe({ segment, offset, bytes, seqs, what }: Damage): string {
  const where = offset === null ? segment : `${segment} at ${offset}`;
  const numbers =
    seqs === null
      ? ''
      : `, records ${seqs.from} to ${seqs.to === null ? 'the end' : seqs.to}`;
  return `${where}: ${bytes} bytes${numbers}: ${what}`;
}

function row(...[seq, at, course, n, bytes]: string[]): string {
  return `${seq!.padStart(10)}  ${at!.padEnd(24)}  ${course!.padEnd(20)}  ${n!.padStart(6)}  ${bytes!.padStart(9)}`;
}

function seqOption(
  given: string | boolean | undefined,
  name: string
): number | undefined {
  if (given === undefined) {
    return undefined;
  }
  const seq = Number(given);
  if (!Number.isSafeInteger(seq) || seq < 0) {
    throw new UsageError(
      `--${name}: expected a sequence number, got ${JSON.stringify(given)}.`
    );
  }
  return seq;
}
