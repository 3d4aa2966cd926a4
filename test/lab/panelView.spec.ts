/** What the panel shows, and what a student can take along. */
import { standingOf } from '../../src/lab/consent.js';
import type { ConsentState } from '../../src/lab/consent.js';
import { toCsv, toJson } from '../../src/lab/exportFile.js';
import {
  decisionLine,
  namesOf,
  queueLines,
  rowsOf,
  stateLine,
  type PanelFacts
} from '../../src/lab/panelView.js';
import { NO_CHOICES } from '../../src/lab/settings.js';
import type { QueuedEvent } from '../../src/lab/store.js';
import { course, decision, trans } from './courses.js';

const event = (
  name: string,
  second: number,
  properties: Record<string, unknown> = {}
): QueuedEvent => ({
  event: name,
  distinct_id: 'A-B',
  uuid: `uuid-${second}`,
  timestamp: `2026-11-21T09:30:0${second}.000Z`,
  properties: {
    nb: 'n',
    sess: 's',
    student: 'A-B',
    v: '1',
    src: 'lab',
    seq: second,
    ...properties
  }
});
const sent = (
  of: QueuedEvent,
  by: 'page' | 'kernel' = 'page',
  outcome: 'delivered' | 'refused' = 'delivered'
) => ({ event: of, sentAt: '2026-11-21T09:31:00.000Z', by, outcome });

const ROWS = rowsOf(
  [event('cell', 4, { status: 'ok' }), event('start', 1)],
  [
    sent(event('start', 1)),
    sent(event('test', 2, { ex: 'mean', ok: true, err: null }), 'kernel'),
    sent(event('cell', 3), 'page', 'refused')
  ]
);

it('lists events newest first, each once, with what became of it', () => {
  expect(ROWS.map(({ name, fate, summary }) => [name, fate, summary])).toEqual([
    ['cell', 'waiting', 'status ok'],
    ['cell', 'refused', ''],
    ['test', 'kernel', 'ex mean, ok true'],
    ['start', 'page', '']
  ]);
  expect(namesOf(ROWS)).toEqual(['cell', 'start', 'test']);
});

it('keeps summaries short and values whole', () => {
  const [row] = rowsOf([event('x', 1, { code: 'y'.repeat(500) })], []);
  expect(row!.summary.length).toBeLessThan(130);
  expect(row!.event.properties['code']).toHaveLength(500);
});

describe('lines', () => {
  const facts = (change: Partial<PanelFacts> = {}): PanelFacts => ({
    standing: standingOf({
      off: null,
      course: course(),
      record: null,
      personal: NO_CHOICES,
      forgotten: false
    }),
    course: course(),
    record: null,
    student: 'A-B',
    off: null,
    outbox: {
      waiting: 2,
      delivered: 3,
      dropped: 1,
      trouble: null,
      off: null,
      nextAttemptAt: null
    },
    trouble: null,
    unsaved: null,
    ...change
  });
  const inState = (state: ConsentState, change: Partial<PanelFacts> = {}) =>
    stateLine(
      facts({ standing: { ...facts().standing, state }, ...change }),
      trans
    );

  it('say in each state what holds', () => {
    expect(inState('sending')).toBe('Reported to Intro to Python as A-B.');
    expect(inState('off', { off: 'no key' })).toContain('no key');
    expect(inState('unknown', { trouble: 'away' })).toContain('away');
    for (const state of ['ask', 'paused', 'declined'] as const) {
      expect(inState(state)).toMatch(/[Nn]othing is recorded/);
    }
  });

  it('say when the student decided, and on what', () => {
    const on = (
      record: ReturnType<typeof decision> | null,
      consent: 'notice' | 'opt-in' = 'opt-in'
    ) =>
      decisionLine({ record, course: course({ consent }) }, trans, iso =>
        iso.slice(0, 10)
      );
    expect(on(decision())).toMatch(/agreed on 2026-11-21.*code.*version 2/);
    expect(on(decision(), 'notice')).toContain('were told on 2026-11-21');
    expect(on(decision({ decision: 'declined' }))).toMatch(
      /declined on 2026-11-21/
    );
    expect(on(null)).toBe('');
  });

  it('say what waits, and what hinders it', () => {
    const time = (ms: number) => `at ${ms}`;
    expect(queueLines(facts(), trans, time)).toEqual([
      'Waiting: 2. Sent by this page: 3. Given up: 1.',
      ''
    ]);
    const { outbox } = facts();
    const hindered = facts({
      outbox: { ...outbox, trouble: 'away', nextAttemptAt: 5 }
    });
    expect(queueLines(hindered, trans, time)[1]).toBe(
      'Last problem: away. Next attempt: at 5.'
    );
    expect(queueLines({ ...hindered, unsaved: 'full' }, trans, time)[1]).toBe(
      'Your decision could not be saved yet: full'
    );
  });
});

describe('the file', () => {
  it('as JSON has the exact events', () => {
    const parsed = JSON.parse(toJson(ROWS, 'demo')) as {
      course: string;
      events: (QueuedEvent & { fate: string })[];
    };
    expect(parsed.course).toBe('demo');
    expect(parsed.events[0]).toEqual({
      ...event('cell', 4, { status: 'ok' }),
      fate: 'waiting'
    });
  });

  it('as CSV has a column for each property, and is safe in a spreadsheet', () => {
    const rows = rowsOf(
      [event('cell', 1, { code: '=1+1\nprint("a, b")', ms: -3 })],
      []
    );
    expect(toCsv(rows)).toBe(
      'event,timestamp,uuid,distinct_id,fate,nb,sess,student,v,src,seq,code,ms\r\n' +
        'cell,2026-11-21T09:30:01.000Z,uuid-1,A-B,waiting,n,s,A-B,1,lab,1,' +
        '"\'=1+1\nprint(""a, b"")",-3\r\n'
    );
  });
});
