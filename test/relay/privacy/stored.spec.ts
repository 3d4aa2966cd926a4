/** A stored record loses some of its events, and the others stay what they were. */
import { describe, expect, it } from '@jest/globals';
import { recordsOf } from '../../../src/relay/log/contents.js';
import type { LogRecord } from '../../../src/relay/log/types.js';
import { withoutEvents } from '../../../src/relay/privacy/stored.js';
import { header } from '../log/support.js';

describe('a record without some of its events', () => {
  it('gives the others the ids that they had, also those that are made of their places', () => {
    const event = { event: 'x', distinct_id: 'ADA-LOVELACE', properties: {} };
    const batch = [event, event, { ...event, uuid: 'own' }, event, event];
    const record: LogRecord = {
      seq: 7,
      header: { ...header(5), notes: { 4: { uuid: 'noted' } } },
      body: Buffer.from(JSON.stringify({ batch }))
    };
    const [first, ...others] = recordsOf(record);
    const change = withoutEvents(
      record,
      ({ uuid }) => uuid === first!.uuid,
      () => undefined
    );
    const kept = recordsOf({ seq: 7, ...(change as object) } as LogRecord);
    expect(kept).toEqual(others);
    expect(new Set(kept.map(({ uuid }) => uuid)).size).toBe(4);
  });
});
