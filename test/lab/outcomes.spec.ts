/** What each answer of the Jupyter server to a batch means for the sender. */
import { readBatchAnswer } from '../../src/lab/outcomes.js';

const answer = (
  status: number,
  body: unknown = null,
  retryAfter: string | null = null
) => ({ status, body, retryAfter });

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
