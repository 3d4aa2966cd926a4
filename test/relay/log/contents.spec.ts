/** A stored body becomes the same records at each reading, with what the door noted. */
import { describe, expect, it } from '@jest/globals';
import { validateRecord } from '../../../src/events/index.js';
import { recordsOf } from '../../../src/relay/log/contents.js';
import type { LogRecord, RecordHeader } from '../../../src/relay/log/types.js';
import { header } from './support.js';

const uuid = '0190163d-8694-739b-aea5-966c26f8ad91';
const minted = '0190163d-8694-739b-aea5-966c26f8ad92';

const event = (changes: object = {}): object => ({
  event: 'cell',
  distinct_id: 'ADA-LOVELACE',
  uuid,
  timestamp: '2026-11-21T09:30:00.500Z',
  properties: {
    nb: 'lesson-1',
    sess: 'k3Jx9QwE',
    student: 'ADA-LOVELACE',
    seq: 4,
    course: 'claimed'
  },
  ...changes
});

const stored = (
  body: unknown,
  changes: Partial<RecordHeader> = {}
): LogRecord => ({
  seq: 7,
  header: { ...header(), ...changes },
  body: Buffer.from(JSON.stringify(body))
});

describe('records of a stored body', () => {
  it('hold what the event says and what the relay knows', () => {
    const [record] = recordsOf(stored({ batch: [event()] }));
    expect(record).toStrictEqual({
      schema_version: 'telemetry_event_v1',
      channel: 'user',
      event: 'cell',
      timestamp: '2026-11-21T09:30:00.500Z',
      uuid,
      distinct_id: 'ADA-LOVELACE',
      received_at: '2026-11-21T09:30:00.000Z',
      course: 'demo',
      student: 'ADA-LOVELACE',
      session: 'k3Jx9QwE',
      notebook: 'lesson-1',
      seq: 4,
      payload: {
        nb: 'lesson-1',
        sess: 'k3Jx9QwE',
        student: 'ADA-LOVELACE',
        seq: 4,
        course: 'demo'
      }
    });
    expect(validateRecord(record)).toMatchObject({ ok: true });
  });

  it('come from each of the shapes that clients send, in order', () => {
    const shapes = [
      event({ event: 'a' }),
      [event({ event: 'a' }), event({ event: 'b' })],
      { api_key: 'x', batch: [event({ event: 'a' }), event({ event: 'b' })] }
    ];
    expect(
      shapes.map(shape => recordsOf(stored(shape)).map(r => r.event))
    ).toEqual([['a'], ['a', 'b'], ['a', 'b']]);
  });

  it('are corrected for the client’s clock, in both directions and zones', () => {
    const times = [
      ['2026-11-21T09:30:00.500Z', 90_000, '2026-11-21T09:28:30.500Z'],
      ['2026-11-21T09:30:00Z', -1500, '2026-11-21T09:30:01.500Z'],
      ['2026-11-21T10:30:00+01:00', 0, '2026-11-21T09:30:00.000Z'],
      [undefined, 90_000, '2026-11-21T09:30:00.000Z']
    ] as const;
    for (const [timestamp, skew, expected] of times) {
      const [record] = recordsOf(stored(event({ timestamp }), { skew }));
      expect(record!.timestamp).toBe(expected);
    }
  });

  it('follow the door’s notes', () => {
    const records = recordsOf(
      stored(
        {
          batch: [
            event(),
            event({ uuid: undefined }),
            event({ uuid: '', timestamp: '2020-01-01T00:00:00Z' })
          ]
        },
        {
          skew: 1000,
          notes: {
            1: { uuid: minted },
            2: { uuid: minted, timestamp: '2026-11-21T09:29:00.000Z' }
          }
        }
      )
    );
    expect(records.map(record => record.uuid)).toEqual([uuid, minted, minted]);
    expect(records.map(record => record.timestamp)).toEqual([
      '2026-11-21T09:29:59.500Z',
      '2026-11-21T09:29:59.500Z',
      '2026-11-21T09:29:00.000Z'
    ]);
  });

  it('have the same id at each reading where nobody gave one', () => {
    const body = stored([event({ uuid: undefined }), event({ uuid: null })]);
    const ids = recordsOf(body).map(record => record.uuid);
    expect(recordsOf(body).map(record => record.uuid)).toEqual(ids);
    expect(new Set(ids).size).toBe(2);
    expect(validateRecord(recordsOf(body)[0])).toMatchObject({ ok: true });
  });

  it('name the verified student, and keep the claimed one in the payload', () => {
    const [record] = recordsOf(stored(event(), { student: 'hub-ada' }));
    expect(record!.student).toBe('hub-ada');
    expect(record!.payload).toMatchObject({ student: 'ADA-LOVELACE' });
  });

  it('of a simulated course are marked', () => {
    const [record] = recordsOf(stored(event()), { simulated: true });
    expect(record!.channel).toBe('simulation');
  });

  it('are refused where the body is none of ours', () => {
    expect(() =>
      recordsOf({ ...stored(0), body: Buffer.from('{"a"') })
    ).toThrow(SyntaxError);
    expect(() => recordsOf(stored('text'))).toThrow(
      'Record 7 of the log holds no events.'
    );
  });
});
