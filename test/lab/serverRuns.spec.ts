/** Runs that a server-side executor asks for: told from the cell, once, and never beside a message of the page. */
import { HELLO_MIME, type Hello } from '../../src/lab/facts.js';
import type { EndedRun } from '../../src/lab/results.js';
import {
  LONGEST_RUN_MS,
  OUTPUTS_WAIT_MS,
  ServerRuns,
  START_WAIT_MS,
  type RunningCell
} from '../../src/lab/serverRuns.js';
import { Clock } from './clock.js';
import { CountedSignal } from './fakeJupyter.js';
import { HELLO } from './messages.js';

type Output = { type: string; data: object; json?: object };

/** A code cell's model as far as it is read. */
class FakeCell {
  constructor(
    readonly id: string,
    public source = 'x = 1',
    readonly metadata: object = {}
  ) {}
  executionState = 'idle';
  executionCount: number | null = null;
  isDisposed = false;
  readonly list: Output[] = [];
  readonly stateChanged = new CountedSignal<this, object>(this);
  readonly sharedModel = { getSource: () => this.source };
  readonly outputs = {
    length: 0,
    get: (index: number) => {
      const output = this.list[index]!;
      return { ...output, toJSON: () => output.json };
    }
  };

  put(output: Output): void {
    this.list.push(output);
    this.outputs.length = this.list.length;
  }

  fail(ename: string, evalue: string): void {
    this.put({
      type: 'error',
      data: {},
      json: { ename, evalue, traceback: ['at'] }
    });
  }

  /** What a run shows that was quick. */
  ran(count: number | null): void {
    this.state('running');
    this.executionCount = count;
    this.state('idle');
  }

  state(newValue: string): void {
    this.executionState = newValue;
    this.stateChanged.emit({ name: 'executionState', newValue });
  }

  get model(): RunningCell {
    return this as unknown as RunningCell;
  }
}

function runs() {
  const clock = new Clock();
  const ended: EndedRun[] = [];
  const hellos: Hello[] = [];
  const own = new Set<string>();
  const kernel = { alive: true };
  const server = new ServerRuns({
    isRunning: cell => own.has(cell),
    hasKernel: () => kernel.alive,
    exerciseOf: (_cell, declared) => declared,
    numberOf: count => (count === null ? null : count + 10),
    ended: (run, hello) => {
      ended.push(run);
      if (hello) {
        hellos.push(hello);
      }
    },
    now: () => clock.now,
    later: clock.later
  });
  return { clock, ended, hellos, kernel, own, server };
}

const outcomes = (ended: readonly EndedRun[]) =>
  ended.map(({ run, outcome }) => [run.cell, outcome.status]);

it('an executor that says when a run is over: outcome and errors out of the cell', async () => {
  const { clock, ended, server } = runs();
  const good = new FakeCell('good', 'a\nb', {
    tags: ['test:mean'],
    ipynb_telemetry: { exercise: 'mean' }
  });
  const bad = new FakeCell('bad');
  const stopped = new FakeCell('stopped');
  const behind = new FakeCell('behind');
  const vague = new FakeCell('vague');
  for (const cell of [good, bad, stopped, behind, vague]) {
    server.scheduled(cell.model);
  }
  good.source = 'edited meanwhile';
  good.ran(4);
  bad.ran(5);
  bad.fail('ValueError', 'no');
  stopped.ran(6);
  stopped.fail('KeyboardInterrupt', '');
  behind.ran(null);
  vague.ran(7);
  server.executed('good', true);
  server.executed('bad', true);
  server.executed('stopped', false);
  server.executed('behind', false);
  server.executed('vague', false);
  await clock.pass(OUTPUTS_WAIT_MS);
  expect(outcomes(ended)).toEqual([
    ['good', 'ok'],
    ['bad', 'error'],
    ['stopped', 'interrupted'],
    ['behind', 'aborted'],
    ['vague', 'error']
  ]);
  expect(ended[0]).toMatchObject({
    at: new Date(0),
    run: {
      code: 'a\nb',
      exercise: 'mean',
      tags: ['test:mean'],
      count: 4,
      number: 14
    },
    outcome: { ms: null, err: null }
  });
  expect(ended[1]).toMatchObject({
    outcome: { err: 'ValueError: no' },
    traceback: ['at']
  });
  expect(clock.pending).toEqual([]);
});

it('an executor that says only that the server accepted: waits for the cell to be idle', async () => {
  const { clock, ended, server } = runs();
  const cell = new FakeCell('a');
  server.scheduled(cell.model);
  cell.state('running');
  server.executed('a', true);
  await clock.pass(60_000);
  expect(ended).toEqual([]);
  cell.stateChanged.emit({ name: 'executionCount', newValue: 3 });
  cell.executionCount = 3;
  cell.state('idle');
  // Outputs come by another way, a moment later.
  cell.fail('NameError', 'x');
  cell.state('idle');
  await clock.pass(OUTPUTS_WAIT_MS);
  cell.state('running');
  cell.state('idle');
  await clock.pass(LONGEST_RUN_MS);
  expect(outcomes(ended)).toEqual([['a', 'error']]);
});

it('waits also for a run that begins a moment after it was accepted', async () => {
  const { clock, ended, server } = runs();
  const cell = new FakeCell('a');
  cell.executionCount = 2; // Of the run before.
  server.scheduled(cell.model);
  server.executed('a', true);
  await clock.pass(2000);
  cell.state('running');
  cell.executionCount = 3;
  await clock.pass(60_000);
  expect(ended).toEqual([]);
  cell.state('idle');
  await clock.pass(OUTPUTS_WAIT_MS);
  expect(ended).toMatchObject([
    { run: { count: 3 }, at: new Date(62_000), outcome: { status: 'ok' } }
  ]);
  // An executor that shows nothing in the cell is believed.
  cell.executionCount = 4;
  server.scheduled(cell.model);
  server.executed('a', true);
  await clock.pass(START_WAIT_MS);
  expect(ended).toMatchObject([{}, { run: { count: 4 } }]);
  expect(cell.stateChanged.connections).toBe(0);
});

it('finds the hello of a setup cell', async () => {
  const { clock, hellos, server } = runs();
  const cell = new FakeCell('setup');
  server.scheduled(cell.model);
  cell.put({ type: 'stream', data: {} });
  cell.put({ type: 'display_data', data: { [HELLO_MIME]: HELLO } });
  cell.ran(1);
  server.executed('setup', true);
  await clock.pass(OUTPUTS_WAIT_MS);
  expect(hellos).toMatchObject([{ sess: HELLO.sess }]);
});

it('a run that this page sends by itself is none, before or after it is scheduled', async () => {
  const { clock, ended, own, server } = runs();
  const cell = new FakeCell('a');
  server.scheduled(cell.model);
  server.requested('a');
  expect(cell.stateChanged.connections).toBe(0);
  cell.ran(1);
  server.executed('a', true);
  own.add('b');
  server.scheduled(new FakeCell('b').model);
  server.executed('b', true);
  server.executed('never', true);
  server.scheduled(new FakeCell('blank', ' \n').model);
  server.executed('blank', true);
  await clock.pass(LONGEST_RUN_MS);
  expect(ended).toEqual([]);
});

it('what JupyterLab says of a cell that no kernel saw is no run', async () => {
  const { clock, ended, kernel, server } = runs();
  const skipped = new FakeCell('skipped');
  server.scheduled(skipped.model);
  server.executed('skipped', true);
  kernel.alive = false;
  server.scheduled(new FakeCell('dead').model);
  server.executed('dead', false);
  await clock.pass(LONGEST_RUN_MS);
  server.loseAll();
  expect(ended).toEqual([]);
});

it('a cell that is scheduled twice ends twice', async () => {
  const { clock, ended, server } = runs();
  const cell = new FakeCell('a', 'first');
  server.scheduled(cell.model);
  cell.source = 'second';
  server.scheduled(cell.model);
  cell.ran(1);
  server.executed('a', true);
  cell.ran(2);
  server.executed('a', true);
  await clock.pass(OUTPUTS_WAIT_MS);
  expect(ended.map(({ run }) => run.code)).toEqual(['first', 'second']);
});

it('is lost with the kernel, with its cell, or when nobody hears of it again', async () => {
  const { clock, ended, server } = runs();
  const [queued, running, deleted, endless] = ['q', 'r', 'd', 'e'].map(
    id => new FakeCell(id)
  ) as [FakeCell, FakeCell, FakeCell, FakeCell];
  for (const cell of [running, queued]) {
    server.scheduled(cell.model);
  }
  running.state('running');
  server.executed('r', true);
  server.loseAll();
  server.loseAll();
  running.state('idle');
  expect(outcomes(ended.splice(0))).toEqual([
    ['r', 'lost'],
    ['q', 'lost']
  ]);
  for (const cell of [deleted, endless]) {
    server.scheduled(cell.model);
    cell.state('running');
    server.executed(cell.id, true);
  }
  deleted.isDisposed = true;
  deleted.state('idle');
  await clock.pass(OUTPUTS_WAIT_MS);
  expect(outcomes(ended)).toEqual([['d', 'lost']]);
  await clock.pass(LONGEST_RUN_MS);
  expect(outcomes(ended)).toEqual([
    ['d', 'lost'],
    ['e', 'lost']
  ]);
  expect(clock.pending).toEqual([]);
});
