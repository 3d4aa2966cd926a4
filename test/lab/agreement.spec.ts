/** Course, decision and queue stay in step, whatever the server does and however the student decides. */
import { Agreement, REFRESH_MS } from '../../src/lab/agreement.js';
import type {
  ConsentAnswer,
  CourseAnswer,
  Decision
} from '../../src/lab/courseAnswer.js';
import type { QueuedEvent } from '../../src/lab/store.js';
import { NO_CHOICES } from '../../src/lab/settings.js';
import { Clock, settle } from './clock.js';
import { course, decision } from './courses.js';

const event = (name: string): QueuedEvent => ({
  event: name,
  distinct_id: 'A-B',
  uuid: `uuid of ${name}`,
  properties: {}
});

/** A queue that says what happened to it, and the server that keeps the decision. */
function page(options: {
  course?: CourseAnswer;
  record?: Decision | null;
  waiting?: QueuedEvent[];
  away?: boolean;
  forgotten?: boolean;
  kept?: Map<string, string>;
}) {
  const clock = new Clock();
  const log: string[] = [];
  const kept = options.kept ?? new Map<string, string>();
  let waiting = options.waiting ?? [];
  const server = {
    course: options.course ?? {
      kind: 'course' as const,
      course: course({ consent: 'opt-in' }),
      etag: '"1"'
    },
    record: options.record ?? null,
    student: null as string | null,
    forgotten: options.forgotten ?? false,
    away: options.away ?? false,
    /** It answers, but cannot write. */
    full: false,
    courseAsked: [] as (string | null)[],
    kept: 0
  };
  const away = { kind: 'retry', reason: 'away', afterMs: null } as const;
  const answer = (): ConsentAnswer =>
    server.away
      ? away
      : {
          kind: 'consent',
          student: server.student,
          record: server.record,
          forgotten: server.forgotten
        };
  const spread: unknown[] = [];
  const subject = new Agreement({
    server: {
      course: async etag => {
        server.courseAsked.push(etag);
        return server.away ? away : server.course;
      },
      consent: async () => answer(),
      keep: async (record, student) => {
        if (server.full) {
          return { kind: 'retry', reason: 'full', afterMs: null };
        }
        if (!server.away) {
          server.record = record;
          server.student = student ?? server.student;
          server.kept += 1;
        }
        return answer();
      },
      forget: async () => {
        server.record = null;
        server.student = null;
        return { kind: 'ok' };
      }
    },
    outbox: {
      clear: async keep => {
        await settle();
        const count = waiting.length;
        waiting = waiting.filter(one => keep?.(one));
        log.push('clear');
        return count - waiting.length;
      },
      pause: () => void log.push('pause'),
      resume: () => void log.push('resume')
    },
    tell: (action, { level }) => {
      log.push(`tell ${action} ${level}`);
      waiting.push(event('consent'));
    },
    spread: word => spread.push(word),
    kept: {
      getItem: key => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: key => void kept.delete(key)
    },
    keptAs: '/user/',
    onChange: () => undefined,
    later: clock.later,
    now: () => new Date('2026-11-21T10:00:00Z')
  });
  subject.setPersonal(NO_CHOICES);
  subject.start();
  return {
    subject,
    clock,
    log,
    server,
    spread,
    waiting: () => waiting.map(({ event: name }) => name),
    /** Whether what waits may leave. */
    runs: () =>
      log.filter(what => what === 'pause' || what === 'resume').at(-1) ===
      'resume'
  };
}

const INFORMS: CourseAnswer = { kind: 'course', course: course(), etag: null };

it('holds the queue of an earlier page until it knows that it may leave', async () => {
  const p = page({ record: decision(), waiting: [event('cell')] });
  expect(p.log).toContain('pause');
  expect(p.log).not.toContain('resume');
  await settle();
  expect(p.subject.standing.state).toBe('sending');
  expect(p.runs()).toBe(true);
  expect(p.waiting()).toEqual(['cell']);
});

it('clears what an earlier page left where the student has not agreed, but for the word to the course', async () => {
  for (const record of [null, decision({ decision: 'declined' })]) {
    const p = page({ record, waiting: [event('cell'), event('consent')] });
    await settle();
    await settle();
    expect(p.waiting()).toEqual(['consent']);
    expect(p.runs()).toBe(true);
  }
});

it('agrees: the server keeps it, the course is told, other pages hear of it', async () => {
  const p = page({});
  await settle();
  expect(p.subject.standing.state).toBe('ask');
  await p.subject.decide('agreed', 'outcomes', 'ADA-LOVELACE');
  expect(p.server.record).toEqual({
    decision: 'agreed',
    level: 'outcomes',
    notice_version: 2,
    at: '2026-11-21T10:00:00.000Z',
    paused: false,
    by: 'page'
  });
  expect(p.subject.student).toBe('ADA-LOVELACE');
  expect(p.subject.standing).toMatchObject({
    state: 'sending',
    level: 'outcomes'
  });
  expect(p.log).toContain('tell given outcomes');
  expect(p.spread).toEqual([p.server.record, 'saved']);
});

it('withdraws: nothing waits but the word to the course, and that after all else is gone', async () => {
  const p = page({ record: decision(), waiting: [event('cell')] });
  await settle();
  p.log.length = 0;
  const done = p.subject.decide('declined', 'code');
  expect(p.subject.standing.state).toBe('declined');
  expect(p.runs()).toBe(false);
  await done;
  expect(p.log.filter(what => what !== 'pause')).toEqual([
    'clear',
    'tell withdrawn code',
    'resume'
  ]);
  expect(p.waiting()).toEqual(['consent']);
  expect(p.server.record).toMatchObject({ decision: 'declined' });
});

it('keeps to a withdrawal while the server is away, and until it has it', async () => {
  const p = page({ record: decision() });
  await settle();
  p.server.away = true;
  await p.subject.decide('declined', 'code');
  await p.clock.pass(90_000);
  expect(p.subject.standing.state).toBe('declined');
  expect(p.subject.trouble).toBe('away');
  p.server.away = false;
  await p.clock.pass(90_000);
  expect(p.server.record).toMatchObject({ decision: 'declined' });
  expect(p.server.kept).toBe(1);
  await p.clock.pass(REFRESH_MS);
  expect(p.subject.standing.state).toBe('declined');
});

it.each(['declined', 'paused'])(
  'a reload does not undo what could not be saved: %s',
  async how => {
    const kept = new Map<string, string>();
    const before = page({ record: decision(), kept });
    await settle();
    before.server.full = true;
    await (how === 'paused'
      ? before.subject.setPaused(true)
      : before.subject.decide('declined', 'code'));
    expect(before.subject.unsaved).toBe('full');
    before.subject.dispose();
    const after = page({ record: decision(), kept });
    after.server.full = true;
    await settle();
    expect(after.subject.standing.state).toBe(how);
    expect(after.subject.unsaved).toBe('full');
    after.server.full = false;
    await after.clock.pass(90_000);
    expect(after.server.kept).toBe(1);
    expect(after.subject.standing.state).toBe(how);
    expect(after.subject.unsaved).toBeNull();
    expect(kept.size).toBe(0);
  }
);

it('a later decision elsewhere stands before one that could not be saved', async () => {
  const kept = new Map<string, string>();
  const before = page({ record: decision(), kept });
  await settle();
  before.server.full = true;
  await before.subject.decide('declined', 'code');
  before.subject.dispose();
  const later = decision({ at: '2026-11-22T10:00:00.000Z' });
  const after = page({ record: later, kept });
  await settle();
  expect(after.subject.standing.state).toBe('sending');
});

it('a late answer to an earlier question undoes no decision', async () => {
  const p = page({ record: decision() });
  await settle();
  const old = p.subject.refresh();
  const done = p.subject.decide('declined', 'code');
  await Promise.all([old, done]);
  expect(p.subject.record).toMatchObject({ decision: 'declined' });
});

it('pauses and goes on; what waits stays and does not leave meanwhile', async () => {
  const p = page({ record: decision(), waiting: [event('cell')] });
  await settle();
  await p.subject.setPaused(true);
  expect(p.runs()).toBe(false);
  expect(p.waiting()).toEqual(['cell']);
  expect(p.server.record).toMatchObject({ paused: true, decision: 'agreed' });
  await p.subject.setPaused(false);
  expect(p.runs()).toBe(true);
  expect(p.log.join()).not.toContain('tell');
});

it('a stricter course reaches a running page, and asks for its settings by their etag', async () => {
  const p = page({ record: decision() });
  await settle();
  p.server.course = {
    kind: 'course',
    course: course({
      consent: 'opt-in',
      level: 'outcomes',
      notice: { ...course().settings.notice, version: 3 }
    }),
    etag: '"2"'
  };
  await p.clock.pass(REFRESH_MS);
  expect(p.subject.standing).toMatchObject({ state: 'ask', level: 'outcomes' });
  p.server.course = { kind: 'unchanged' };
  await p.clock.pass(REFRESH_MS);
  expect(p.server.courseAsked).toEqual([null, '"1"', '"2"']);
  expect(p.subject.standing.state).toBe('ask');
});

it('hears of a decision on another page, and forgets what waited', async () => {
  const p = page({ record: decision(), waiting: [event('cell')] });
  await settle();
  p.subject.adopt(decision({ decision: 'declined' }));
  await settle();
  await settle();
  expect(p.subject.standing.state).toBe('declined');
  expect(p.waiting()).toEqual([]);
});

it('hears of a decision in a cell: it holds at once, is kept, and the course is not told twice', async () => {
  const p = page({ record: decision(), waiting: [event('cell')] });
  await settle();
  p.subject.heard({ agreed: false, level: 'code', notice_version: 2 });
  expect(p.subject.standing.state).toBe('declined');
  await settle();
  await settle();
  expect(p.waiting()).toEqual([]);
  expect(p.server.record).toMatchObject({ decision: 'declined', by: 'kernel' });
  p.subject.heard({ agreed: true, level: 'outcomes', notice_version: 2 });
  expect(p.subject.standing).toMatchObject({
    state: 'sending',
    level: 'outcomes'
  });
  await settle();
  expect(p.log.join()).not.toContain('tell');
});

it('tells a notice that was read from an agreement', async () => {
  const p = page({ course: INFORMS });
  await settle();
  await p.subject.decide('agreed', 'code');
  expect(p.server.record).toMatchObject({ decision: 'agreed', told: true });
  await p.subject.decide('agreed', 'outcomes');
  expect(p.server.record).not.toHaveProperty('told');
  expect(p.log.filter(what => what.startsWith('tell'))).toEqual([
    'tell changed outcomes'
  ]);
});

it('forgets everything, and waits for an answer also where the course only informs', async () => {
  const p = page({
    course: INFORMS,
    record: decision(),
    waiting: [event('cell')]
  });
  await settle();
  await p.subject.forget();
  expect(p.waiting()).toEqual([]);
  expect(p.server.record).toBeNull();
  expect(p.subject.standing.state).toBe('ask');
  await p.clock.pass(REFRESH_MS);
  expect(p.subject.standing.state).toBe('ask');
  await p.subject.decide('agreed', 'code');
  expect(p.subject.standing.state).toBe('sending');
});

it('asks who had everything forgotten before this page was loaded', async () => {
  const p = page({ course: INFORMS, forgotten: true });
  await settle();
  expect(p.subject.standing.state).toBe('ask');
  expect(page({ course: INFORMS }).subject.standing.state).not.toBe('ask');
  await p.subject.decide('declined', 'code');
  expect(p.subject.standing.state).toBe('declined');
});

it('does not stop where the server forbids it', async () => {
  const p = page({
    course: {
      kind: 'course',
      course: course({}, { mandatory: true }),
      etag: null
    },
    record: decision()
  });
  await settle();
  await p.subject.decide('declined', 'code');
  await p.subject.setPaused(true);
  expect(p.subject.standing.state).toBe('sending');
  expect(p.server.kept).toBe(0);
});

it('asks ever more rarely while the server is away, and no more where nobody collects', async () => {
  const p = page({ away: true });
  await p.clock.pass(60 * 60_000);
  expect(p.server.courseAsked.length).toBeLessThan(70);
  expect(p.subject.standing.state).toBe('unknown');
  p.server.away = false;
  p.server.course = { kind: 'off', reason: 'no key' };
  await p.clock.pass(120_000);
  expect(p.subject.off).toBe('no key');
  const asked = p.server.courseAsked.length;
  await p.clock.pass(60 * 60_000);
  expect(p.server.courseAsked.length).toBe(asked);
  expect(p.runs()).toBe(false);
});

it('JupyterHub’s user comes before a remembered name', async () => {
  const p = page({ course: INFORMS });
  p.server.student = 'TYPED-NAME';
  await settle();
  await p.subject.refresh();
  expect(p.subject.student).toBe('TYPED-NAME');
  p.server.course = {
    kind: 'course',
    course: { ...course(), hubUser: 'ada' },
    etag: null
  };
  await p.subject.refresh();
  expect(p.subject.student).toBe('ada');
});
