/** What other extensions may capture, and what they are told. */
import { jest } from '@jest/globals';
import type { ConsentState } from '../../src/lab/consent.js';
import { MAX_PROPERTIES, Telemetry } from '../../src/lab/telemetry.js';

function telemetry(state: ConsentState = 'sending') {
  const subject = new Telemetry();
  const captured: unknown[] = [];
  const refused: string[] = [];
  const states: unknown[] = [];
  const now = { state, taken: true };
  subject.refused.connect((_, { reason }) => refused.push(reason));
  subject.stateChanged.connect((_, to) => states.push(to));
  const attach = () =>
    subject.attach({
      standing: () => ({
        state: now.state,
        level: 'code',
        collects: name => name !== 'ai_feature',
        mayStop: true
      }),
      capture: (...event) => {
        captured.push(event);
        return now.taken;
      }
    });
  return { subject, captured, refused, states, now, attach };
}

it('takes an event with a copy of its properties', () => {
  const t = telemetry();
  t.attach();
  const properties = { step: 1, nested: { a: [1] } };
  const notebook = {};
  expect(t.subject.capture('hint_opened', properties, { notebook })).toBe(true);
  properties.nested.a.push(2);
  expect(t.subject.capture('hint_closed')).toBe(true);
  expect(t.captured).toEqual([
    ['hint_opened', { step: 1, nested: { a: [1] } }, notebook],
    ['hint_closed', {}, null]
  ]);
  expect(t.refused).toEqual([]);
});

it('says what holds, and when it changes, once', () => {
  const t = telemetry('ask');
  expect(t.subject.state).toEqual({
    recording: false,
    consent: 'unknown',
    level: 'outcomes'
  });
  t.attach();
  t.subject.refresh();
  t.now.state = 'sending';
  t.subject.refresh();
  expect(t.states).toEqual([
    { recording: false, consent: 'ask', level: 'code' },
    { recording: true, consent: 'sending', level: 'code' }
  ]);
});

it.each(['unknown', 'ask', 'paused', 'declined', 'off'] as const)(
  'takes nothing while the state is %s',
  state => {
    const t = telemetry(state);
    t.attach();
    expect(t.subject.capture('hint_opened')).toBe(false);
    expect(t.captured).toEqual([]);
    expect(t.refused).toEqual([`nothing is recorded: ${state}`]);
  }
);

it('takes nothing before the page is ready', () => {
  const t = telemetry();
  expect(t.subject.capture('hint_opened')).toBe(false);
  expect(t.refused).toEqual(['the page is not ready']);
});

const circle: Record<string, unknown> = {};
circle['self'] = circle;

it.each([
  ['cell', {}, /taken/],
  ['consent', {}, /taken/],
  ['$identify', {}, /taken/],
  ['', {}, /not a name/],
  ['x'.repeat(201), {}, /not a name/],
  ['hint', circle, /not a JSON object/],
  ['hint', [1], /not a JSON object/],
  ['hint', { text: 'x'.repeat(MAX_PROPERTIES) }, /not a JSON object/],
  ['hint', { big: 10n }, /not a JSON object/],
  ['ai_feature', { feature: 'chat' }, /neither course nor student/]
])('refuses %s with %o', (name, properties, why) => {
  const t = telemetry();
  t.attach();
  expect(t.subject.capture(name, properties as never)).toBe(false);
  expect(t.captured).toEqual([]);
  expect(t.refused).toEqual([expect.stringMatching(why)]);
});

it('says so where no session takes it', () => {
  const t = telemetry();
  t.attach();
  t.now.taken = false;
  expect(t.subject.capture('hint_opened')).toBe(false);
  expect(t.refused).toEqual(['no session is recorded in this notebook']);
});

it('never throws, whatever it is given and whoever listens', () => {
  // Lumino says it there.
  const error = jest.spyOn(console, 'error').mockImplementation(() => {});
  const t = telemetry();
  t.attach();
  t.subject.refused.connect(() => {
    throw new Error('a listener');
  });
  expect(t.subject.capture(7 as never, null as never)).toBe(false);
  expect(t.subject.capture(undefined as never)).toBe(false);
  error.mockRestore();
});
