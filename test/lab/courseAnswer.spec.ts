/** What each answer of the Jupyter server on course and decision means. */
import {
  readConsentAnswer,
  readCourseAnswer
} from '../../src/lab/courseAnswer.js';
import { decision, SETTINGS } from './courses.js';

const answer = (
  status: number,
  body: unknown = null,
  etag: string | null = null
) => ({ status, body, retryAfter: null, etag });

const off = { configured: false, message: 'no key' };

describe('to the question for the course', () => {
  it('200 gives its settings, the policy and the student', () => {
    const body = {
      ...SETTINGS,
      policy: { mandatory: true, record: 'all' },
      hub_user: 'ada'
    };
    expect(readCourseAnswer(answer(200, body, '"1"'))).toEqual({
      kind: 'course',
      course: {
        settings: SETTINGS,
        policy: { mandatory: true, record: 'all' },
        hubUser: 'ada'
      },
      etag: '"1"'
    });
  });

  it('304 changes nothing', () => {
    expect(readCourseAnswer(answer(304))).toEqual({ kind: 'unchanged' });
  });

  it('what is not understood collects the least and asks the most', () => {
    const strange = { ...SETTINGS, level: 'everything', consent: 'tacit' };
    expect(
      readCourseAnswer(answer(200, { ...strange, policy: 'none', hub_user: 7 }))
    ).toMatchObject({
      course: {
        settings: { level: 'outcomes', consent: 'opt-in' },
        policy: { mandatory: false, record: 'marked' },
        hubUser: null
      }
    });
    expect(readCourseAnswer(answer(200, 'hello'))).toMatchObject({
      kind: 'course',
      course: { settings: { level: 'outcomes', consent: 'opt-in' } }
    });
    expect(
      readCourseAnswer(answer(200, { ...SETTINGS, events: ['cell', 'keys'] }))
    ).toMatchObject({ course: { settings: { events: ['cell'] } } });
  });

  it.each([401, 403, 404, 500])('%i is asked again', status => {
    expect(readCourseAnswer(answer(status, { message: 'no' })).kind).toBe(
      'retry'
    );
  });

  it('nobody collects, or the relay is away', () => {
    expect(readCourseAnswer(answer(404)).kind).toBe('off');
    for (const status of [200, 503]) {
      expect(readCourseAnswer(answer(status, off))).toEqual({
        kind: 'off',
        reason: 'no key'
      });
    }
    expect(readCourseAnswer(answer(502)).kind).toBe('retry');
    expect(readCourseAnswer(answer(403)).kind).toBe('retry');
  });
});

describe('to the question for the decision', () => {
  it('200 gives student and decision', () => {
    expect(
      readConsentAnswer(
        answer(200, { course: 'demo', student: 'A-B', record: decision() })
      )
    ).toEqual({ kind: 'consent', student: 'A-B', record: decision() });
  });

  it.each([
    [{}],
    [{ student: '', record: null }],
    [{ student: 7, record: { decision: 'perhaps' } }],
    ['hello']
  ])('%j is no decision', body => {
    expect(readConsentAnswer(answer(200, body))).toEqual({
      kind: 'consent',
      student: null,
      record: null
    });
  });

  it('a damaged decision agrees to the least and to no present notice', () => {
    expect(
      readConsentAnswer(
        answer(200, { record: { decision: 'agreed', level: 'all' } })
      )
    ).toMatchObject({ record: { level: 'outcomes', notice_version: 0 } });
  });

  it('is asked again where it fails, and not where nobody collects', () => {
    expect(readConsentAnswer(answer(500)).kind).toBe('retry');
    expect(readConsentAnswer(answer(403)).kind).toBe('retry');
    expect(readConsentAnswer(answer(200, off)).kind).toBe('off');
    expect(readConsentAnswer(answer(404)).kind).toBe('off');
  });
});
