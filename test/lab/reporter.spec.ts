/** What may leave, at which level, and what the course is told of a decision. */
import { SELECTABLE_EVENTS } from '../../src/events/collection.js';
import type { SessionContext, WireEvent } from '../../src/events/types.js';
import { validateWireEvent } from '../../src/events/validation.js';
import type { ConsentState, Standing } from '../../src/lab/consent.js';
import type { MadeEvent } from '../../src/lab/made.js';
import { MAX_HELD, Reporter } from '../../src/lab/reporter.js';
import { decision } from './courses.js';

const CONTEXT: SessionContext = {
  nb: 'n',
  sess: 'aB3dE5gH',
  student: 'A-B',
  v: '0.1.0',
  src: 'lab'
};

const made = (name = 'cell'): MadeEvent => ({
  name,
  context: CONTEXT,
  uuid: '0190163d-8694-739b-aea5-966c26f8ad91',
  at: new Date('2026-11-21T09:30:00Z'),
  properties: {
    cell_id: 'c1',
    code: 'secret = 1',
    status: 'error',
    err: 'ValueError: my secret'
  }
});

function reporter(state: ConsentState, level: Standing['level'] = 'outcomes') {
  const queued: WireEvent[] = [];
  const now = {
    state,
    session: null as SessionContext | null,
    student: null as string | null
  };
  const subject = new Reporter({
    outbox: { add: events => void queued.push(...events) },
    standing: () => ({
      state: now.state,
      level,
      collects: name =>
        ['sending', 'tell'].includes(now.state) && name !== 'edit',
      mayStop: true
    }),
    session: () => now.session,
    student: () => now.student
  });
  return { subject, queued, now };
}

it('holds what happens while nothing is known, and lets it go with the student’s word', () => {
  const r = reporter('unknown');
  r.subject.report(made());
  r.subject.standingChanged();
  expect(r.queued).toEqual([]);
  expect(r.subject.held).toBe(1);
  r.now.state = 'sending';
  r.subject.standingChanged();
  expect(r.queued).toHaveLength(1);
  expect(r.subject.held).toBe(0);
});

it.each(['ask', 'declined', 'paused', 'off'] as const)(
  'gives up what it held where the answer is %s, and takes nothing',
  state => {
    const r = reporter('unknown');
    r.subject.report(made());
    r.now.state = state;
    r.subject.standingChanged();
    expect(r.subject.report(made())).toBe(false);
    expect(r.subject.held).toBe(0);
    r.now.state = 'sending';
    r.subject.standingChanged();
    expect(r.queued).toEqual([]);
  }
);

it('holds a bounded number', () => {
  const r = reporter('unknown');
  for (let i = 0; i < MAX_HELD + 5; i++) {
    r.subject.report(made());
  }
  expect(r.subject.held).toBe(MAX_HELD);
});

it('leaves out what is not collected', () => {
  const r = reporter('sending');
  for (const name of SELECTABLE_EVENTS) {
    r.subject.report(made(name));
  }
  expect(r.queued.map(({ event }) => event)).toEqual(
    SELECTABLE_EVENTS.filter(name => name !== 'edit')
  );
});

it.each([
  ['outcomes', null, 'ValueError'],
  ['code', 'secret = 1', 'ValueError: my secret'],
  ['full', 'secret = 1', 'ValueError: my secret']
] as const)('at level %s sends code %j and err %j', (level, code, err) => {
  const r = reporter('sending', level);
  r.subject.report(made());
  // The number comes from the store.
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
        cell_id: 'c1',
        code,
        status: 'error',
        err
      }
    }
  ]);
  expect(validateWireEvent(r.queued[0])).toMatchObject({ ok: true });
});

describe('the word to the course', () => {
  const said = (events: readonly WireEvent[]) =>
    events.map(({ event, properties: p }) =>
      event === 'consent'
        ? [p['action'], p['level'], p['notice_version'], p['sess'], p['src']]
        : event
    );

  it('goes with the session that is there', () => {
    const r = reporter('sending');
    r.now.session = { ...CONTEXT, sess: 'zzzzzzzz', src: 'kernel' };
    r.subject.tell('given', decision());
    expect(said(r.queued)).toEqual([['given', 'code', 2, 'zzzzzzzz', 'lab']]);
    expect(validateWireEvent(r.queued[0])).toMatchObject({ ok: true });
  });

  it('waits for the first event that follows, and comes before it', () => {
    const r = reporter('sending');
    r.subject.tell('given', decision());
    expect(r.queued).toEqual([]);
    r.subject.report(made());
    expect(said(r.queued)).toEqual([
      ['given', 'code', 2, 'aB3dE5gH', 'lab'],
      'cell'
    ]);
  });

  it('is not said of an agreement that was taken back before anything came of it', () => {
    const r = reporter('sending');
    r.subject.tell('given', decision());
    r.now.state = 'declined';
    r.subject.standingChanged();
    r.now.state = 'sending';
    r.subject.report(made());
    expect(said(r.queued)).toEqual(['cell']);
  });

  it('takes back in the last session, also when that is over', () => {
    const r = reporter('sending');
    r.subject.report(made());
    r.now.state = 'declined';
    r.subject.tell('withdrawn', decision({ decision: 'declined' }));
    expect(said(r.queued)).toEqual([
      'cell',
      ['withdrawn', 'code', 2, 'aB3dE5gH', 'lab']
    ]);
  });

  it('takes back what earlier pages sent of a student who is known, and nothing of nobody', () => {
    const r = reporter('declined');
    r.subject.tell('withdrawn', decision());
    expect(r.queued).toEqual([]);
    r.now.student = 'A-B';
    r.subject.tell('withdrawn', decision());
    expect(r.queued[0]).toMatchObject({
      distinct_id: 'A-B',
      properties: { action: 'withdrawn', student: 'A-B' }
    });
    expect(validateWireEvent(r.queued[0])).toMatchObject({ ok: true });
  });
});
