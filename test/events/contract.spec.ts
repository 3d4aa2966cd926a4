/** The contract: golden events, messages, builders, levels. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  applyLevel,
  buildCustomEvent,
  buildEvent,
  errorType,
  EVENT_NAMES,
  toRecord,
  validateRecord,
  validateWireEvent,
  type SessionContext
} from '../../src/events/index.js';

interface Golden {
  why: string;
  valid: boolean;
  event: unknown;
  problem?: { field: string; code: string };
}

const golden = (
  JSON.parse(
    readFileSync(new URL('../fixtures/events.json', import.meta.url), 'utf8')
  ) as { events: Golden[] }
).events;

const errorTypes = JSON.parse(
  readFileSync(new URL('../fixtures/error-types.json', import.meta.url), 'utf8')
) as { cases: { err: string; type: string }[] };

const context: SessionContext = {
  nb: 'intro',
  sess: 'aB3dE5gH',
  student: 'JOHN-DOE',
  v: '0.1.0',
  src: 'lab'
};
const facts = { at: new Date('2026-11-21T09:30:00Z'), seq: 4 };

describe('golden events', () => {
  it.each(golden.map(item => [item.why, item] as const))('%s', (_why, item) => {
    const verdict = validateWireEvent(item.event);
    if (item.valid) {
      expect(verdict).toEqual({ ok: true, value: item.event });
    } else {
      expect(verdict).toMatchObject({ ok: false, problem: item.problem });
    }
  });

  it('shows every event of the contract at least once, but for traces', () => {
    const shown = new Set(
      golden
        .filter(item => item.valid)
        .map(item => (item.event as { event: string }).event)
    );
    expect(EVENT_NAMES.filter(name => !shown.has(name))).toEqual(['command']);
  });
});

describe('messages', () => {
  const event = buildEvent('test', context, facts, { ex: 'mean', ok: true });
  const messageOf = (properties: object): string => {
    const verdict = validateWireEvent({
      ...event,
      properties: { ...event.properties, ...properties }
    });
    return verdict.ok ? 'valid' : verdict.problem.message;
  };

  it('name the field, what was expected and what came', () => {
    expect(messageOf({ try: 0 })).toBe(
      'properties.try: expected a number >= 1, got 0 (number)'
    );
    expect(messageOf({ ms: 'fast' })).toBe(
      'properties.ms: expected a number or null, got "fast" (string)'
    );
    expect(messageOf({ ex: undefined })).toBe(
      'properties.ex: expected a value, got nothing'
    );
  });

  it.each([
    'yesterday',
    'hello world 7',
    '0000000001',
    'Thursday 3 may 12',
    '2026-02-30T09:30:00Z',
    '2026-11-21T25:00:00Z'
  ])('do not take %j for a time', timestamp => {
    expect(validateWireEvent({ ...event, timestamp })).toMatchObject({
      problem: { field: 'timestamp', code: 'format' }
    });
  });

  it.each([
    '2026-11-21',
    '2026-11-21T09:30:00',
    '2026-11-21 09:30:00.123456+02:00',
    '2026-11-21T23:59:59-08:00'
  ])('take %j for a time', timestamp => {
    expect(validateWireEvent({ ...event, timestamp }).ok).toBe(true);
  });

  it('never repeat code or error text', () => {
    const secret = 'x'.repeat(500);
    expect(messageOf({ err: secret })).toBe(
      'properties.err: expected text of at most 400 characters or null, got a string'
    );
  });

  it('shorten long values', () => {
    expect(messageOf({ ok: 'y'.repeat(300) }).length).toBeLessThan(120);
  });
});

describe('builders', () => {
  it('give events that validate, with an id and the common properties', () => {
    const event = buildEvent('cell', context, facts, {
      status: 'ok',
      cell_id: 'mean'
    });
    expect(validateWireEvent(event)).toMatchObject({ ok: true });
    expect(event).toMatchObject({
      distinct_id: 'JOHN-DOE',
      timestamp: '2026-11-21T09:30:00.000Z',
      properties: { ...context, seq: 4, cell_id: 'mean', status: 'ok' }
    });
    expect(event.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it('let no caller overwrite a common property or claim a course', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), own => {
        const forged = { ...own, nb: 'x', sess: 'y', seq: 99, course: 'z' };
        const { properties } = buildCustomEvent('hint', context, facts, forged);
        expect(properties).toMatchObject({ ...context, seq: 4 });
        expect(properties).not.toHaveProperty('course');
      })
    );
  });
});

describe('validation', () => {
  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), value => {
        const verdict = validateWireEvent(value);
        expect(typeof verdict.ok).toBe('boolean');
      })
    );
  });

  it('judges records', () => {
    const record = toRecord(
      buildEvent('ai_feature', context, facts, { feature: 'chat' }),
      {
        course: 'demo',
        receivedAt: '2026-11-21T09:30:01.000Z',
        uuid: '0190163d-8694-739b-aea5-966c26f8ad91',
        timestamp: '2026-11-21T09:30:00.000Z'
      }
    );
    expect(validateRecord(record)).toMatchObject({ ok: true });
    expect(record).toMatchObject({
      channel: 'assistant',
      student: 'JOHN-DOE',
      session: 'aB3dE5gH',
      notebook: 'intro',
      seq: 4,
      payload: { course: 'demo', feature: 'chat' }
    });
    expect(validateRecord({ ...record, schema_version: 'v0' })).toMatchObject({
      ok: false,
      problem: { field: 'schema_version' }
    });
  });
});

describe('levels', () => {
  const code = { code: 'y = 1', err: "NameError: name 'y' is not defined" };

  it('outcomes keep no code and no message', () => {
    expect(applyLevel('cell', code, 'outcomes')).toEqual({
      code: null,
      err: 'NameError'
    });
  });

  it('code keeps both, shortened', () => {
    expect(applyLevel('cell', code, 'code')).toBe(code);
    expect(
      applyLevel(
        'test',
        { code: 'a'.repeat(900), err: `E: ${'b'.repeat(900)}` },
        'code'
      )
    ).toEqual({ code: 'a'.repeat(500), err: `E: ${'b'.repeat(197)}` });
  });

  it('hand back the same object where nothing changes', () => {
    const clean = { code: null, err: 'ValueError' };
    expect(applyLevel('cell', clean, 'outcomes')).toBe(clean);
    expect(applyLevel('hint', code, 'outcomes')).toBe(code);
  });

  it.each<readonly [string, string]>([
    ...errorTypes.cases.map(({ err, type }) => [err, type] as const),
    ['list index out of range', 'Error'],
    ['expected: 3', 'Error'],
    ["'a secret key'", 'Error'],
    [`${'A'.repeat(100)}Error`, 'Error']
  ])('the type of %j is %j', (err, type) => {
    expect(errorType(err)).toBe(type);
  });
});
