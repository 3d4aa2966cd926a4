/** What the bar above a notebook asks or tells. */
import { barOf } from '../../src/lab/barText.js';
import { standingOf } from '../../src/lab/consent.js';
import type { Course, Decision } from '../../src/lab/courseAnswer.js';
import { NO_CHOICES } from '../../src/lab/settings.js';
import { course, decision, trans } from './courses.js';

const bar = (of: Course, record: Decision | null = null) =>
  barOf(
    standingOf({
      off: null,
      course: of,
      record,
      personal: NO_CHOICES,
      forgotten: false
    }),
    of,
    record,
    trans
  );
const actions = (...args: Parameters<typeof bar>) =>
  bar(...args)?.buttons.map(({ action }) => action) ?? null;

const OPT_IN = course({ consent: 'opt-in' });
const old = decision({ notice_version: 1 });

it('asks where a course asks, and again when its notice changes', () => {
  expect(actions(OPT_IN)).toEqual(['read', 'agree', 'decline']);
  expect(bar(OPT_IN)!.text).toContain('“Intro to Python” asks');
  expect(bar(OPT_IN, old)!.text).toContain('again');
  expect(bar(OPT_IN, decision())).toBeNull();
  expect(bar(OPT_IN, decision({ decision: 'declined' }))).toBeNull();
});

it('tells where a course informs, once for each notice', () => {
  expect(actions(course())).toEqual(['read', 'seen', 'decline']);
  expect(bar(course())!.text).toContain('records');
  expect(bar(course(), old)!.text).toContain('changed');
  expect(bar(course(), decision())).toBeNull();
});

it('stays while a name is missing, whatever was agreed to', () => {
  const named = (record: Decision | null, needsName: boolean) =>
    barOf(
      standingOf({
        off: null,
        course: course(),
        record,
        personal: NO_CHOICES,
        forgotten: false
      }),
      course(),
      record,
      trans,
      needsName
    );
  expect(named(decision(), false)).toBeNull();
  for (const record of [decision(), null]) {
    expect(named(record, true)!.text).toContain('your name');
  }
  expect(named(decision({ decision: 'declined' }), true)).toBeNull();
  expect(named(decision({ paused: true }), true)).toBeNull();
});

it('offers no stop where there is none', () => {
  expect(actions(course({}, { mandatory: true }))).toEqual(['read', 'seen']);
});

it('is not there while nothing is known', () => {
  const standing = standingOf({
    off: null,
    course: null,
    record: undefined,
    personal: NO_CHOICES,
    forgotten: false
  });
  expect(barOf(standing, null, null, trans)).toBeNull();
});
