/** What each answer of the Jupyter server means for the sender. */
import { readBatchAnswer, readCourseAnswer } from '../../src/lab/outcomes.js';

const answer = (
  status: number,
  body: unknown = null,
  retryAfter: string | null = null
) => ({ status, body, retryAfter });

const COURSE = {
  course: 'demo',
  title: 'Demo',
  version: 2,
  level: 'code',
  consent: 'notice',
  identity: 'names',
  events: ['start', 'end', 'cell', 'test', 'edit'],
  notice: {
    version: 3,
    receiver: 'us',
    retention_days: 365,
    contact: 'a@b.example',
    text: 'Ask us.'
  }
};

describe('to a batch', () => {
  it('200 settles it, with what was set aside', () => {
    expect(readBatchAnswer(answer(200, { status: 'Ok' }))).toEqual({
      kind: 'ok',
      rejected: []
    });
    expect(
      readBatchAnswer(
        answer(200, {
          rejected: [{ index: 0, uuid: 'u', code: 'type', message: 'why' }, 7]
        })
      )
    ).toEqual({
      kind: 'ok',
      rejected: [
        { uuid: 'u', message: 'why' },
        { uuid: null, message: 'no reason given' }
      ]
    });
  });

  it.each([
    [401, { error: 'unknown key' }],
    [403, 'login page'],
    [408, null],
    [429, null],
    [500, null],
    [502, { message: 'relay away' }],
    [503, { message: 'disk full' }]
  ])('%i is tried again later', (status, body) => {
    expect(readBatchAnswer(answer(status, body)).kind).toBe('retry');
  });

  it('Retry-After is heeded', () => {
    expect(readBatchAnswer(answer(503, null, '3'))).toMatchObject({
      afterMs: 3000
    });
    expect(
      readBatchAnswer(answer(503, null, 'Fri, 31 Dec 1999 23:59:59 GMT'))
    ).toMatchObject({ afterMs: null });
  });

  it.each([
    [413, 'too-large'],
    [400, 'refused'],
    [422, 'refused'],
    [404, 'off']
  ])('%i means %s', (status, kind) => {
    expect(readBatchAnswer(answer(status)).kind).toBe(kind);
  });

  it('a server without a key is nobody to send to', () => {
    expect(
      readBatchAnswer(
        answer(503, { configured: false, message: 'no course key' })
      )
    ).toEqual({ kind: 'off', reason: 'no course key' });
  });
});

describe('to the question for the course', () => {
  it('200 gives its settings', () => {
    expect(readCourseAnswer(answer(200, COURSE))).toEqual({
      kind: 'course',
      settings: COURSE
    });
  });

  it('what is not understood collects the least and asks the most', () => {
    expect(
      readCourseAnswer(
        answer(200, { ...COURSE, level: 'everything', consent: 'tacit' })
      )
    ).toMatchObject({
      settings: { level: 'outcomes', consent: 'opt-in' }
    });
    expect(readCourseAnswer(answer(200, 'hello'))).toMatchObject({
      kind: 'course',
      settings: { level: 'outcomes' }
    });
  });

  it('a relay that does not know the key is asked again', () => {
    const refused = answer(401, { code: 'unknown_key', message: 'no' });
    expect(readCourseAnswer(refused).kind).toBe('retry');
  });

  it.each([401, 404])('%i is PostHog itself: the least is sent', status => {
    expect(
      readCourseAnswer(answer(status, { message: 'PostHog answered' }))
    ).toMatchObject({
      kind: 'course',
      settings: { course: '', level: 'outcomes' }
    });
  });

  it('nobody collects, or the relay is away', () => {
    expect(readCourseAnswer(answer(404)).kind).toBe('off');
    expect(
      readCourseAnswer(answer(503, { configured: false, message: 'no key' }))
    ).toEqual({ kind: 'off', reason: 'no key' });
    expect(readCourseAnswer(answer(502)).kind).toBe('retry');
    expect(readCourseAnswer(answer(403)).kind).toBe('retry');
  });
});
