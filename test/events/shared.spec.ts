/** Names and ids: the vectors that TypeScript and Python share. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  cellRunId,
  EmptyNameError,
  eventId,
  ID_NAMESPACE,
  normalizeName,
  SESSION_ALPHABET,
  sessionEndId,
  sessionId,
  testResultId
} from '../../src/events/index.js';

interface Names {
  names: { why: string; first: string; last: string; name: string }[];
  refused: { why: string; first: string; last: string }[];
}

interface Ids {
  namespace: string;
  session_alphabet: string;
  cell: { msg_id: string; uuid: string }[];
  test: { msg_id: string; ex: string; ordinal: number; uuid: string }[];
  end: { sess: string; src: 'lab' | 'kernel'; uuid: string }[];
}

function fixture<T>(name: string): T {
  return JSON.parse(
    readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), 'utf8')
  ) as T;
}

const { names, refused } = fixture<Names>('names');
const ids = fixture<Ids>('ids');

describe('names', () => {
  it.each(names.map(item => [item.why, item] as const))('%s', (_why, item) => {
    expect(normalizeName(item.first, item.last)).toBe(item.name);
  });

  it.each(refused.map(item => [item.why, item] as const))(
    'refused: %s',
    (_why, item) => {
      expect(() => normalizeName(item.first, item.last)).toThrow(
        EmptyNameError
      );
    }
  );

  it('stay what they are when normalized again', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (first, last) => {
        let once: string;
        try {
          once = normalizeName(first, last);
        } catch (error) {
          expect(error).toBeInstanceOf(EmptyNameError);
          return;
        }
        expect(once).toBe(once.trim());
        expect(once).not.toMatch(/\s\s/u);
      })
    );
  });
});

describe('ids', () => {
  it('share namespace and alphabet', () => {
    expect(ids.namespace).toBe(ID_NAMESPACE);
    expect(ids.session_alphabet).toBe(SESSION_ALPHABET);
  });

  it('of runs follow from the message', () => {
    for (const { msg_id, uuid } of ids.cell) {
      expect(cellRunId(msg_id)).toBe(uuid);
    }
  });

  it('of test results follow from message, name and ordinal', () => {
    for (const { msg_id, ex, ordinal, uuid } of ids.test) {
      expect(testResultId(msg_id, ex, ordinal)).toBe(uuid);
    }
    for (const { sess, src, uuid } of ids.end) {
      expect(sessionEndId(sess, src)).toBe(uuid);
    }
  });

  it('of sessions have eight characters without look-alikes', () => {
    for (let round = 0; round < 200; round++) {
      expect(sessionId()).toMatch(/^[2-9A-HJ-NP-Za-km-z]{8}$/);
    }
  });

  it('of other events sort by time', () => {
    const made = Array.from({ length: 50 }, () => eventId());
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(50);
  });
});
