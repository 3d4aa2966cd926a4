/** What the status bar says. */
import { describeStatus, type StatusFacts } from '../../src/lab/statusText.js';
import { trans } from './courses.js';

const QUIET: StatusFacts = {
  consent: 'sending',
  student: null,
  begins: null,
  course: null,
  off: null,
  waiting: 0,
  delivered: 0,
  dropped: 0,
  trouble: null
};

it.each([
  [{}, 'off', 'Telemetry: not set up'],
  [{ begins: 'run' }, 'on', 'Telemetry: about to record'],
  [{ begins: 'name', off: 'no key' }, 'off', 'Telemetry: not set up'],
  [{ student: 'A-B' }, 'on', 'Telemetry: recording'],
  [{ student: 'A-B', off: 'no key' }, 'off', 'Telemetry: not set up'],
  [
    { student: 'A-B', trouble: 'away', waiting: 3 },
    'offline',
    'Telemetry: offline (3 waiting)'
  ],
  [{ student: 'A-B', trouble: 'away' }, 'on', 'Telemetry: recording'],
  [{ student: 'A-B', consent: 'tell' }, 'on', 'Telemetry: recording'],
  [{ consent: 'ask' }, 'ask', 'Telemetry: waits for your answer'],
  [{ student: 'A-B', consent: 'paused' }, 'off', 'Telemetry: paused'],
  [{ student: 'A-B', consent: 'declined' }, 'off', 'Telemetry: declined']
] as const)('of %j is %s: %s', (facts, state, text) => {
  expect(describeStatus({ ...QUIET, ...facts }, trans)).toMatchObject({
    state,
    text
  });
});

it('tells who is reported, to which course, and what became of it', () => {
  const { tooltip } = describeStatus(
    {
      ...QUIET,
      student: 'A-B',
      course: 'Intro to Python',
      delivered: 7,
      waiting: 1,
      dropped: 2
    },
    trans
  );
  for (const part of ['A-B', 'Intro to Python', 'Sent: 7', 'Given up: 2']) {
    expect(tooltip).toContain(part);
  }
});

it('tells what a recording waits for', () => {
  const tooltip = (begins: StatusFacts['begins']) =>
    describeStatus({ ...QUIET, begins }, trans).tooltip;
  expect(tooltip('run')).toContain('with the next run');
  expect(tooltip('name')).toContain('your name');
  expect(tooltip(null)).toContain('setup cell');
});

it('tells why nothing is recorded', () => {
  expect(describeStatus({ ...QUIET, off: 'no key' }, trans).tooltip).toContain(
    'no key'
  );
});
