/** The insights sink: many courses, and listeners that are told little but everything. */
import type { Change } from '../../src/api/index.js';
import type { TelemetryRecord } from '../../src/events/types.js';
import {
  createInsightsSink,
  type InsightsSink
} from '../../src/sinks/insights.js';
import { result, run } from './records.js';

const TITLES: Record<string, string> = { demo: 'Demo', other: 'Other' };

let sink: InsightsSink;
let errors: unknown[];

beforeEach(() => {
  errors = [];
  sink = createInsightsSink({
    titleOf: course => TITLES[course],
    setAsideOf: course => (course === 'demo' ? 3 : 0),
    onListenerError: error => errors.push(error),
    coalesceMs: 20
  });
});

afterEach(() => sink.close());

const of = (course: string, record: TelemetryRecord): TelemetryRecord => ({
  ...record,
  course
});

const pause = (ms: number): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, ms));

it('keeps courses apart and confirms what it took', async () => {
  const outcome = await sink.deliver([
    of('demo', run({ s: 1, n: 1 })),
    of('other', run({ s: 1, n: 1 })),
    of('other', run({ s: 2, n: 2 }))
  ]);
  expect(outcome).toEqual({ kind: 'ok' });
  expect(sink.snapshot('demo')).toMatchObject({
    title: 'Demo',
    coverage: { events: 1, setAside: 3 }
  });
  expect(sink.snapshot('other')?.coverage).toMatchObject({
    events: 2,
    setAside: 0
  });
});

it('answers for a course without events, and not for one that does not exist', () => {
  expect(sink.snapshot('demo')).toMatchObject({
    course: 'demo',
    sessions: [],
    coverage: { events: 0 }
  });
  expect(sink.snapshot('nowhere')).toBeUndefined();
});

it('gathers what arrives together into one change', async () => {
  const changes: Change[] = [];
  sink.subscribe('demo', change => changes.push(change));
  for (let n = 1; n <= 10; n += 1) {
    await sink.deliver([of('demo', run({ s: n, n }))]);
  }
  expect(changes).toHaveLength(0);
  await pause(60);
  expect(changes).toHaveLength(1);
  expect(changes[0]).toMatchObject({
    sessions: [{ runs: 10 }],
    coverage: { events: 10, setAside: 3 }
  });
});

it('tells a listener of its own course alone, until it is unsubscribed', async () => {
  const changes: Change[] = [];
  const stop = sink.subscribe('demo', change => changes.push(change));
  await sink.deliver([of('other', run({ s: 1, n: 1 }))]);
  await pause(40);
  expect(changes).toHaveLength(0);

  await sink.deliver([of('demo', run({ s: 1, n: 2 }))]);
  stop();
  stop();
  await pause(40);
  expect(changes).toHaveLength(0);
});

it('tells every listener, though one of them throws', async () => {
  let told = 0;
  sink.subscribe('demo', () => {
    throw new Error('gone');
  });
  sink.subscribe('demo', () => (told += 1));
  await sink.deliver([of('demo', run({ s: 1, n: 1 }))]);
  await pause(60);
  expect(told).toBe(1);
  expect(errors).toEqual([new Error('gone')]);
});

it('loses nothing between subscription and snapshot, nor between snapshots', async () => {
  const changes: Change[] = [];
  await sink.deliver([of('demo', result({ s: 1, n: 1, ex: 'add' }))]);
  expect(sink.snapshot('demo')?.grid).toHaveLength(1);
  await sink.deliver([of('demo', result({ s: 2, n: 2, ex: 'mean' }))]);
  sink.subscribe('demo', change => changes.push(change));
  sink.snapshot('demo'); // Another reader's: takes nothing away.
  await pause(60);
  expect(changes.flatMap(change => change.grid)).toMatchObject([
    { exercise: 'mean' }
  ]);
});

it('is silent after it was closed, as often as that may be', async () => {
  let told = 0;
  sink.subscribe('demo', () => (told += 1));
  await sink.deliver([of('demo', run({ s: 1, n: 1 }))]);
  await sink.close();
  await sink.close();
  await pause(40);
  expect(told).toBe(0);
});
