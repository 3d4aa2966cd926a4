/** Messages of a shared log: whole records, divided ones, and what is read back. */
import fc from 'fast-check';
import { recordsOf } from '../../../src/relay/log/contents.js';
import type { LogRecord, RecordHeader } from '../../../src/relay/log/types.js';
import {
  eventIds,
  messagesOf,
  open,
  readMessage,
  select
} from '../../../src/relay/forward/message.js';
import {
  partitionOf,
  PARTITIONS
} from '../../../src/relay/forward/partition.js';
import { cellEvent } from '../support/testRelay.js';

const DOOR = 'd0123456789abcdef';

function record(
  events: readonly unknown[],
  header: Partial<RecordHeader> = {},
  beside: object = { historical_migration: true }
): LogRecord {
  return {
    seq: 7,
    header: {
      v: 1,
      at: '2026-03-02T08:00:00.000Z',
      course: 'demo',
      key: 'k_1',
      skew: 250,
      n: events.length,
      ...header
    },
    body: Buffer.from(JSON.stringify({ ...beside, batch: events }))
  };
}

/** What readers of the log get from the messages, in order. */
function read(payloads: readonly Uint8Array[]): unknown[] {
  return payloads.flatMap(payload => {
    const { header, body } = readMessage(payload);
    return recordsOf({ seq: 1, header, body });
  });
}

it('carries a record as it is', () => {
  const given = record([cellEvent(1), cellEvent(2)]);
  const { messages, tooLong } = messagesOf(given, DOOR, 100_000);
  expect(tooLong).toEqual([]);
  expect(messages.map(({ id, course }) => [id, course])).toEqual([
    [`${DOOR}-7`, 'demo']
  ]);
  const { header, body, id } = readMessage(messages[0]!.payload);
  expect([id, header]).toEqual([`${DOOR}-7`, given.header]);
  expect(body.equals(given.body)).toBe(true);
});

it('divides a longer record into messages that fit, the same each time, and loses nothing of it', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          text: fc.string({ maxLength: 400, unit: 'binary' }),
          noted: fc.boolean(),
          timed: fc.boolean()
        }),
        { minLength: 1, maxLength: 30 }
      ),
      fc.integer({ min: 1_600, max: 6_000 }),
      (shapes, limit) => {
        const notes: NonNullable<RecordHeader['notes']> = {};
        const events = shapes.map(({ text, noted, timed }, position) => {
          const { uuid, ...rest } = cellEvent(position, { cell_id: text });
          if (noted || timed) {
            notes[position] = {
              ...(noted ? { uuid: uuid! } : {}),
              ...(timed ? { timestamp: '2026-03-02T07:00:00.000Z' } : {})
            };
          }
          return noted ? rest : { uuid, ...rest };
        });
        const given = record(events, { notes });
        const { messages, tooLong } = messagesOf(given, DOOR, limit);
        const payloads = messages.map(({ payload }) => payload);
        expect(payloads.every(({ length }) => length <= limit)).toBe(true);
        expect(new Set(messages.map(({ id }) => id)).size).toBe(
          messages.length
        );
        expect(messagesOf(given, DOOR, limit)).toEqual({ messages, tooLong });
        const left = new Set(tooLong.map(({ uuid }) => uuid));
        expect(read(payloads)).toEqual(
          recordsOf(given).filter(({ uuid }) => !left.has(uuid!))
        );
        for (const payload of payloads) {
          const { header, body } = readMessage(payload);
          const opened = open(body);
          expect(header.n).toBe(opened.events.length);
          expect(opened.beside).toMatchObject({ historical_migration: true });
        }
      }
    ),
    { numRuns: process.env['LONG'] ? 5_000 : 150 }
  );
});

it('tells an event that fits into no message apart, and carries the others', () => {
  const given = record([
    cellEvent(1),
    cellEvent(2, { cell_id: 'x'.repeat(5_000) }),
    cellEvent(3)
  ]);
  const { messages, tooLong } = messagesOf(given, DOOR, 2_000);
  expect(tooLong).toEqual([
    {
      uuid: cellEvent(2).uuid,
      event: expect.objectContaining({ event: 'cell' }) as object,
      bytes: expect.any(Number) as number
    }
  ]);
  expect(tooLong[0]!.bytes).toBeGreaterThan(5_000);
  expect(read(messages.map(({ payload }) => payload))).toHaveLength(2);
});

it('gives an event without an id the same one each time, and notes it', () => {
  const { uuid: _uuid, ...nameless } = cellEvent(1);
  const { header, body } = record([nameless, cellEvent(2)]);
  const opened = open(body);
  const ids = eventIds('d1-7', header, opened);
  expect(eventIds('d1-7', header, opened)).toEqual(ids);
  expect(eventIds('d1-8', header, opened)[0]).not.toBe(ids[0]);
  expect(ids[1]).toBe(cellEvent(2).uuid);
  const part = select(header, opened, [1, 0], ids);
  expect(part.header.notes).toEqual({ 1: { uuid: ids[0] } });
  expect(recordsOf({ seq: 1, ...part }).map(({ uuid }) => uuid)).toEqual([
    ids[1],
    ids[0]
  ]);
});

it.each([
  ['nothing', ''],
  ['no header', '{"v":1,"id":"a"}\n{}'],
  ['another version', '{"v":2,"id":"a","header":{}}\n{}'],
  ['other JSON', '[]\n{}']
])('refuses %s', (_what, text) => {
  expect(() => readMessage(Buffer.from(text))).toThrow(
    'expected a record of a relay'
  );
});

it('sends a course always the same way, and courses different ones', () => {
  const parts = Array.from({ length: 200 }, (_, n) => partitionOf(`c-${n}`));
  expect(parts.every(part => part >= 0 && part < PARTITIONS)).toBe(true);
  for (let part = 0; part < PARTITIONS; part += 1) {
    expect(parts.filter(one => one === part).length).toBeGreaterThan(20);
  }
  // Part of the subjects: may never change.
  expect(['demo', 'python-101', 'a'].map(partitionOf)).toEqual([2, 2, 0]);
});
