/** Records as the relay hands them to sinks. */
import { randomUUID } from 'node:crypto';
import {
  buildEvent,
  toRecord,
  type Properties,
  type TelemetryRecord
} from '../../src/events/index.js';

/** What a test wants to say of a record; the rest is filled in. */
export interface RecordWishes {
  seq?: number;
  uuid?: string;
  student?: string;
  course?: string;
  at?: Date;
  properties?: Properties;
}

/** A passed test of JOHN-DOE in course `demo`, or what `wishes` say instead. */
export function makeRecord(wishes: RecordWishes = {}): TelemetryRecord {
  const { seq = 1, course = 'demo', student = 'JOHN-DOE' } = wishes;
  const at = wishes.at ?? new Date('2026-11-21T09:30:00.250Z');
  const uuid = wishes.uuid ?? randomUUID();
  const event = buildEvent(
    'test',
    { nb: 'intro', sess: 'aB3dE5gH', student, v: '0.1.0', src: 'kernel' },
    { at, seq, uuid },
    { ex: 'mean', ok: true, try: 1, ms: 3, err: null, cell_id: 'mean' }
  );
  Object.assign(event.properties, wishes.properties);
  return toRecord(event, {
    course,
    uuid,
    receivedAt: new Date(at.getTime() + 1000).toISOString(),
    timestamp: at.toISOString()
  });
}

/** `count` records of one session, one second apart. */
export function makeRecords(
  count: number,
  wishes: RecordWishes = {}
): TelemetryRecord[] {
  const first = wishes.at ?? new Date('2026-11-21T09:30:00.250Z');
  return Array.from({ length: count }, (_, index) =>
    makeRecord({
      ...wishes,
      seq: index + 1,
      at: new Date(first.getTime() + index * 1000)
    })
  );
}

/** Makes a value and everything in it unchangeable, so that a change throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
