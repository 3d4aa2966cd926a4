/** What holds for a page, out of everything that is decided on. */
import fc from 'fast-check';
import { SELECTABLE_EVENTS } from '../../src/events/collection.js';
import {
  consentAction,
  isSending,
  standingOf,
  type ConsentFacts
} from '../../src/lab/consent.js';
import { LEVELS } from '../../src/lab/courseAnswer.js';
import { NO_CHOICES, WITHHELD } from '../../src/lab/settings.js';
import { course, decision } from './courses.js';

const FACTS: ConsentFacts = {
  off: null,
  course: course(),
  record: null,
  personal: NO_CHOICES,
  forgotten: false
};
const OPT_IN = course({ consent: 'opt-in' });
const MANDATORY = course({}, { mandatory: true });

const state = (facts: Partial<ConsentFacts>) =>
  standingOf({ ...FACTS, ...facts }).state;

describe('the state', () => {
  it.each([
    ['nobody collects', { off: 'no key' }, 'off'],
    ['the course was never reached', { course: null }, 'unknown'],
    ['the decision is not known', { record: undefined }, 'unknown'],
    ['the own settings are not known', { personal: null }, 'unknown'],
    ['a course informs', {}, 'tell'],
    ['it has informed', { record: decision() }, 'sending'],
    ['it informs anew', { record: decision({ notice_version: 1 }) }, 'tell'],
    [
      'the student stopped',
      { record: decision({ decision: 'declined' }) },
      'declined'
    ],
    [
      'the student stopped before a new notice',
      { record: decision({ decision: 'declined', notice_version: 1 }) },
      'declined'
    ],
    ['the student paused', { record: decision({ paused: true }) }, 'paused'],
    ['everything was just forgotten', { forgotten: true }, 'ask'],
    ['a course asks', { course: OPT_IN }, 'ask'],
    ['it was agreed to', { course: OPT_IN, record: decision() }, 'sending'],
    [
      'it asks anew',
      { course: OPT_IN, record: decision({ notice_version: 1 }) },
      'ask'
    ],
    [
      'it asks anew after a no',
      {
        course: OPT_IN,
        record: decision({ notice_version: 1, decision: 'declined' })
      },
      'ask'
    ],
    [
      'it was declined',
      { course: OPT_IN, record: decision({ decision: 'declined' }) },
      'declined'
    ],
    [
      'it was paused',
      { course: OPT_IN, record: decision({ paused: true }) },
      'paused'
    ],
    [
      'it must be accepted',
      { course: MANDATORY, record: decision() },
      'sending'
    ],
    [
      'it must be accepted after a no',
      { course: MANDATORY, record: decision({ decision: 'declined' }) },
      'tell'
    ],
    [
      'the student was told before, and now the course asks',
      { course: OPT_IN, record: decision({ told: true }) },
      'ask'
    ],
    [
      'nobody can agree in a student’s place',
      { course: course({ consent: 'opt-in' }, { mandatory: true }) },
      'ask'
    ]
  ] as const)('where %s', (_name, facts, expected) => {
    expect(state(facts as Partial<ConsentFacts>)).toBe(expected);
  });

  it('lets students stop, except where the server forbids it in a course that informs', () => {
    const mayStop = (of: ConsentFacts['course']) =>
      standingOf({ ...FACTS, course: of }).mayStop;
    expect(mayStop(course())).toBe(true);
    expect(mayStop(MANDATORY)).toBe(false);
    expect(mayStop(course({ consent: 'opt-in' }, { mandatory: true }))).toBe(
      true
    );
  });
});

const anyRecord = fc.option(
  fc.record({
    decision: fc.constantFrom('agreed' as const, 'declined' as const),
    level: fc.constantFrom(...LEVELS),
    notice_version: fc.integer({ min: 0, max: 4 }),
    at: fc.constant('2026-11-21T09:00:00.000Z'),
    paused: fc.boolean(),
    by: fc.constantFrom('page' as const, 'kernel' as const),
    told: fc.boolean()
  }),
  { nil: null }
);
const anyFacts = fc
  .record({
    level: fc.constantFrom(...LEVELS),
    consent: fc.constantFrom('notice' as const, 'opt-in' as const),
    events: fc.subarray([...SELECTABLE_EVENTS]),
    mandatory: fc.boolean(),
    record: anyRecord,
    forgotten: fc.boolean(),
    own: fc.constantFrom('course' as const, 'outcomes' as const),
    withhold: fc.subarray([...WITHHELD])
  })
  .map((all): ConsentFacts => ({
    off: null,
    course: course(
      { level: all.level, consent: all.consent, events: all.events },
      { mandatory: all.mandatory }
    ),
    record: all.record,
    forgotten: all.forgotten,
    personal: { level: all.own, withhold: all.withhold, showStatus: true }
  }));

describe('whatever the facts', () => {
  const rank = (level: (typeof LEVELS)[number]) => LEVELS.indexOf(level);

  it('the level is never above course, agreement or own settings', () => {
    fc.assert(
      fc.property(anyFacts, facts => {
        const { level } = standingOf(facts);
        expect(rank(level)).toBeLessThanOrEqual(
          rank(facts.course!.settings.level)
        );
        if (facts.personal!.level === 'outcomes') {
          expect(level).toBe('outcomes');
        }
        if (facts.record?.decision === 'agreed' && !facts.record.told) {
          expect(rank(level)).toBeLessThanOrEqual(rank(facts.record.level));
        }
      })
    );
  });

  it('nothing is collected that the course does not, and nothing while nothing is sent', () => {
    fc.assert(
      fc.property(anyFacts, facts => {
        const { collects, state: is } = standingOf(facts);
        for (const name of SELECTABLE_EVENTS) {
          if (collects(name)) {
            expect(isSending(is)).toBe(true);
            expect(facts.course!.settings.events).toContain(name);
          }
        }
        expect(collects('my_own_event')).toBe(isSending(is));
      })
    );
  });

  it('own settings only ever take away', () => {
    fc.assert(
      fc.property(anyFacts, facts => {
        const free = standingOf({ ...facts, personal: NO_CHOICES });
        const own = standingOf(facts);
        expect(own.state).toBe(free.state);
        for (const name of SELECTABLE_EVENTS) {
          expect(own.collects(name) && !free.collects(name)).toBe(false);
        }
        expect(rank(own.level)).toBeLessThanOrEqual(rank(free.level));
      })
    );
  });

  it('a course that asks gets nothing without a present agreement', () => {
    fc.assert(
      fc.property(anyFacts, facts => {
        const { settings } = facts.course!;
        const { record } = facts;
        if (settings.consent === 'opt-in' && isSending(state(facts))) {
          expect(record?.decision).toBe('agreed');
          expect(record?.told).toBe(false);
          expect(record?.paused).toBe(false);
          expect(record!.notice_version).toBeGreaterThanOrEqual(
            settings.notice.version
          );
        }
      })
    );
  });
});

it('a notice that was read limits no level, a choice does', () => {
  const level = (told: boolean) =>
    standingOf({
      ...FACTS,
      record: decision({ level: 'outcomes', ...(told ? { told } : {}) })
    }).level;
  expect(level(true)).toBe('code');
  expect(level(false)).toBe('outcomes');
});

it('withholds all AI events by one choice', () => {
  const { collects } = standingOf({
    ...FACTS,
    personal: { ...NO_CHOICES, withhold: ['ai', 'focus'] }
  });
  expect(SELECTABLE_EVENTS.filter(name => !collects(name))).toEqual([
    'focus',
    'ai_suggestion',
    'ai_feature'
  ]);
});

describe('the course is told', () => {
  const no = decision({ decision: 'declined' });
  it.each([
    ['of an agreement', OPT_IN, 'ask', null, decision(), 'given'],
    ['of a second agreement', OPT_IN, 'declined', no, decision(), 'given'],
    [
      'of an agreement to a new notice',
      OPT_IN,
      'ask',
      decision({ notice_version: 1 }),
      decision(),
      'given'
    ],
    [
      'of another level',
      OPT_IN,
      'sending',
      decision(),
      decision({ level: 'outcomes' }),
      'changed'
    ],
    [
      'of another level in a course that informs',
      course(),
      'tell',
      null,
      decision({ level: 'outcomes' }),
      'changed'
    ],
    ['of a withdrawal', OPT_IN, 'sending', decision(), no, 'withdrawn'],
    [
      'of a withdrawal while paused',
      OPT_IN,
      'paused',
      decision({ paused: true }),
      no,
      'withdrawn'
    ],
    [
      'of a no to a new notice',
      OPT_IN,
      'ask',
      decision({ notice_version: 1 }),
      no,
      'withdrawn'
    ],
    [
      'of a stop in a course that informs',
      course(),
      'tell',
      null,
      no,
      'withdrawn'
    ],
    ['of going on after a stop', course(), 'declined', no, decision(), 'given'],
    ['nothing of a no', OPT_IN, 'ask', null, no, null],
    ['nothing of a second no', OPT_IN, 'declined', no, no, null],
    [
      'nothing of a notice that was read',
      course(),
      'tell',
      null,
      decision(),
      null
    ],
    [
      'nothing of a pause',
      OPT_IN,
      'sending',
      decision(),
      decision({ paused: true }),
      null
    ],
    [
      'nothing of its end',
      OPT_IN,
      'paused',
      decision({ paused: true }),
      decision(),
      null
    ]
  ] as const)('%s', (_name, of, was, record, after, expected) => {
    expect(consentAction({ state: was, record }, after, of)).toBe(expected);
  });
});
