/** What waits for the course's word, and what of an event may leave. */
import type { CourseSettings, WireEvent } from '../../src/events/types.js';
import { validateWireEvent } from '../../src/events/validation.js';
import type { CourseAnswer } from '../../src/lab/outcomes.js';
import type { MadeEvent } from '../../src/lab/made.js';
import { MAX_HELD, Reporter } from '../../src/lab/reporter.js';
import { Sequence } from '../../src/lab/sequence.js';
import { Clock, settle } from './clock.js';

const COURSE: CourseSettings = {
  course: 'demo',
  title: 'Demo',
  version: 1,
  level: 'outcomes',
  consent: 'notice',
  identity: 'names',
  events: ['start', 'end', 'cell', 'test'],
  notice: {
    version: 1,
    receiver: 'us',
    retention_days: null,
    contact: null,
    text: null
  }
};

const made = (
  sess = 'aB3dE5gH',
  uuid = '0190163d-8694-739b-aea5-966c26f8ad91'
): MadeEvent => ({
  name: 'cell',
  context: { nb: 'n', sess, student: 'A-B', v: '0.1.0', src: 'lab' },
  uuid,
  at: new Date('2026-11-21T09:30:00Z'),
  properties: {
    cell_id: 'c1',
    cell_num: 2,
    code: 'secret = 1',
    status: 'error',
    ms: 3,
    err: 'ValueError: my secret',
    count: 2,
    lines: 1,
    nb_cell: 'c1'
  }
});

function reporter(answers: CourseAnswer[]) {
  const clock = new Clock();
  const queued: WireEvent[] = [];
  const said: string[] = [];
  let asked = 0;
  const subject = new Reporter({
    outbox: { add: events => void queued.push(...events) },
    sequence: new Sequence(null),
    askCourse: async () => {
      asked += 1;
      return answers.shift() ?? { kind: 'course', settings: COURSE };
    },
    inform: message => said.push(message),
    later: clock.later
  });
  return { subject, clock, queued, said, asked: () => asked };
}

it('lets nothing out before the course is known, then everything in order', async () => {
  const r = reporter([
    { kind: 'retry', reason: 'away', afterMs: null },
    { kind: 'retry', reason: 'away', afterMs: null }
  ]);
  r.subject.report(made());
  await settle();
  r.subject.report(made());
  expect(r.queued).toEqual([]);
  expect(r.subject).toMatchObject({ held: 2, trouble: 'away', course: null });
  await r.clock.pass(10_000);
  r.subject.report(made());
  expect(r.queued.map(event => event.properties['seq'])).toEqual([1, 2, 3]);
  expect(r.subject).toMatchObject({ held: 0, trouble: null, course: COURSE });
});

it.each([
  ['outcomes', null, 'ValueError'],
  ['code', 'secret = 1', 'ValueError: my secret'],
  ['full', 'secret = 1', 'ValueError: my secret']
] as const)(
  'at level %s sends code %j and err %j',
  async (level, code, err) => {
    const r = reporter([{ kind: 'course', settings: { ...COURSE, level } }]);
    r.subject.report(made());
    await settle();
    expect(r.queued).toEqual([
      {
        event: 'cell',
        distinct_id: 'A-B',
        uuid: '0190163d-8694-739b-aea5-966c26f8ad91',
        timestamp: '2026-11-21T09:30:00.000Z',
        properties: {
          nb: 'n',
          sess: 'aB3dE5gH',
          student: 'A-B',
          v: '0.1.0',
          src: 'lab',
          seq: 1,
          cell_id: 'c1',
          cell_num: 2,
          code,
          status: 'error',
          ms: 3,
          err,
          count: 2,
          lines: 1,
          nb_cell: 'c1'
        }
      }
    ]);
    expect(validateWireEvent(r.queued[0])).toMatchObject({ ok: true });
  }
);

it('counts each session by itself', async () => {
  const r = reporter([]);
  await settle();
  for (const sess of ['one', 'two', 'one', 'two', 'two']) {
    r.subject.report(made(sess));
  }
  expect(r.queued.map(event => event.properties['seq'])).toEqual([
    1, 1, 2, 2, 3
  ]);
});

it('gives up what it held where nobody collects, says so once, and asks no more', async () => {
  const r = reporter([{ kind: 'off', reason: 'no course key' }]);
  r.subject.report(made());
  await settle();
  r.subject.report(made());
  r.subject.switchOff('again');
  await r.clock.pass(10 * 60_000);
  expect(r.queued).toEqual([]);
  expect(r.subject).toMatchObject({ held: 0, off: 'no course key' });
  expect(r.said).toEqual([
    'ipynb-telemetry: this page reports nothing: no course key'
  ]);
  expect(r.asked()).toBe(1);
});

it('reports nothing to a course that asks first', async () => {
  const settings = { ...COURSE, consent: 'opt-in' as const };
  const r = reporter([{ kind: 'course', settings }]);
  r.subject.report(made());
  await settle();
  r.subject.report(made());
  expect(r.queued).toEqual([]);
  expect(r.subject.off).toMatch(/asks each student first/);
});

it('holds a bounded number, and asks ever more rarely', async () => {
  const away: CourseAnswer = { kind: 'retry', reason: 'away', afterMs: null };
  const r = reporter(Array.from({ length: 1000 }, () => away));
  for (let i = 0; i < MAX_HELD + 5; i++) {
    r.subject.report(made());
  }
  await r.clock.pass(60 * 60_000);
  expect(r.subject.held).toBe(MAX_HELD);
  expect(r.asked()).toBeLessThan(70);
  r.subject.dispose();
  const before = r.asked();
  await r.clock.pass(60 * 60_000);
  expect(r.asked()).toBe(before);
});
