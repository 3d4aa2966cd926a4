/** Errors in the relay's own log: where they come from, without what they are about. */
import { pino } from 'pino';
import { Writable } from 'node:stream';
import type { DoorReport } from '../../src/relay/door/door.js';
import { judge } from '../../src/relay/door/judge.js';
import { clockOf } from '../../src/relay/door/clock.js';
import { RelayError } from '../../src/relay/errors.js';
import { causeOf, traceOf } from '../../src/relay/failure.js';
import { compileRules } from '../../src/relay/privacy/rules.js';
import { createReporter } from '../../src/relay/reporter.js';
import { cellEvent } from './support/testRelay.js';

const CANARY = 'canary of\n    at student (file:///canary)';

function thrown(make: () => unknown): Error {
  try {
    make();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

function logOf(...reports: Partial<DoorReport>[]): string {
  let logged = '';
  const reporter = createReporter(
    pino(
      { level: 'debug' },
      new Writable({
        write(chunk, _encoding, done) {
          logged += String(chunk);
          done();
        }
      })
    )
  );
  for (const report of reports) {
    reporter.door({ id: 'r', path: '/batch/', status: 500, ms: 1, ...report });
  }
  reporter.flush();
  return logged;
}

it('a mistake of the relay is logged by its class and its places in the program', () => {
  const causes = [
    thrown(() => new RegExp(`(${CANARY}`)),
    thrown(() => JSON.parse(CANARY)),
    Object.assign(new Error(CANARY), { name: CANARY, code: CANARY }),
    Object.assign(new Error('short'), { message: CANARY }),
    CANARY
  ];
  const logged = logOf(
    ...causes.map(cause => ({
      error: new RelayError('internal_error', { id: 'r' }, {}, { cause })
    }))
  );
  expect(logged).not.toMatch(/canary/);
  expect(logged.match(/request failed/g)).toHaveLength(causes.length);
  expect(logged).toMatch(/SyntaxError\\n +at .*failure\.spec/);
});

it('of what makes a request be refused, the relay tells its own words and the system’s', () => {
  const parsing = thrown(() => JSON.parse(CANARY));
  const full = Object.assign(new Error('ENOSPC: no space left'), {
    code: 'ENOSPC'
  });
  const logged = logOf(
    ...[parsing, full].map(cause => ({
      status: 503,
      error: new RelayError('log_unavailable', {}, {}, { cause })
    }))
  );
  expect(logged).toContain('503 log_unavailable: SyntaxError"');
  expect(logged).toContain('503 log_unavailable: ENOSPC: no space left');
  expect(logged).not.toMatch(/canary/);
  expect(causeOf(7)).toBe('a number was thrown');
  expect(traceOf(full)).toMatch(/^Error \(ENOSPC\)\n +at /);
});

it('late events of a forgotten student are counted under one word', () => {
  const privacy = {
    ...compileRules({ level: 'full' }),
    isForgotten: () => true
  };
  const { kept, notCollected } = judge(
    [{ ...cellEvent(1), event: 'ZEBEDIAH said' }, cellEvent(2)],
    {
      course: 'demo',
      privacy,
      events: ['cell'],
      clock: clockOf(undefined, Date.now()),
      bytes: 1_000,
      remember: () => true
    }
  );
  expect(kept).toEqual([]);
  expect([...notCollected!]).toEqual([['(forgotten)', 2]]);
  const receipt = {
    course: 'demo',
    kept: 0,
    duplicates: 0,
    notCollected: notCollected!,
    dropped: new Map<string, number>(),
    rejected: []
  };
  expect(logOf({ status: 200, receipt })).not.toContain('ZEBEDIAH');
});
