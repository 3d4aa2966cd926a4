/** `replay`: lets a destination read a stretch of the event log again. */
import { REPLAY_LOG } from '../relay/pipeline/operations.js';
import type {
  LogPlace,
  LogReplayProgress
} from '../relay/pipeline/replayLog.js';
import { askRelay } from './askRelay.js';
import {
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';

export const replayCommand: Command = {
  name: 'replay',
  summary: 'Send a stretch of the event log to a destination again',
  args: [],
  options: {
    sink: {
      value: 'NAME',
      meaning:
        "Where to: posthog (the relay's own project) or posthog-COURSE (a course's)"
    },
    from: {
      value: 'SEQ|DATE',
      meaning: 'First record of the log, or the time from which on they came in'
    },
    to: {
      value: 'SEQ|DATE',
      meaning:
        'Last record, or the time before which they came in; the end of the log by default'
    },
    course: { value: 'COURSE', meaning: 'The events of this course alone' },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'replay --sink posthog --from 1',
    'replay --sink posthog-python-101 --from 2026-11-01 --to 2026-11-08',
    'replay --sink posthog --from 120000 --course python-101 --json'
  ],
  async run(invocation) {
    const { options, print, warn } = invocation;
    const json = options['json'] === true;
    const result = (await askRelay(
      invocation,
      REPLAY_LOG,
      {
        sink: required(options['sink'], 'sink', 'NAME'),
        from: placeOf(required(options['from'], 'from', 'SEQ|DATE'), 'from'),
        to: options['to'] && placeOf(options['to'] as string, 'to'),
        course: options['course']
      },
      line => {
        const { seq, last, delivered, retries } =
          line as unknown as LogReplayProgress;
        warn(
          json
            ? JSON.stringify(line)
            : `record ${seq} of ${last}, ${delivered} events delivered${retries > 0 ? `, ${retries} deliveries repeated` : ''}`
        );
      }
    )) as LogReplayProgress;
    print(
      json
        ? JSON.stringify(result)
        : `${result.delivered} events are delivered, ${result.setAside} set aside.`
    );
  }
};

function required(value: unknown, name: string, placeholder: string): string {
  if (typeof value !== 'string') {
    throw new UsageError(`expected --${name} ${placeholder}, got none.`);
  }
  return value;
}

/** A record's number, or a time as ISO 8601 in UTC; a date without a time is its beginning. */
function placeOf(text: string, name: string): LogPlace {
  if (/^[1-9]\d{0,14}$/.test(text)) {
    return Number(text);
  }
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms)) {
    throw new UsageError(
      `--${name}: expected a record's number or a date such as 2026-11-21 or 2026-11-21T09:30:00Z, got ${JSON.stringify(text)}.`
    );
  }
  return new Date(ms).toISOString();
}
