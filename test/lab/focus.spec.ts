/** Active time in a cell: what counts, what does not, and when it is told. */
import { Signal } from '@lumino/signaling';
import fc from 'fast-check';
import {
  ActiveTime,
  FocusWatch,
  IDLE_MS,
  type CellName
} from '../../src/lab/focus.js';
import { CountedTarget } from './fakeJupyter.js';

const cell = (id: string, exercise?: string) => ({
  model: {
    id,
    getMetadata: () => (exercise ? { exercise } : undefined)
  }
});
type Cell = ReturnType<typeof cell>;

class FakeNotebook {
  constructor(public activeCell: Cell | null) {}
  readonly node = new CountedTarget();
  readonly activeCellChanged = new Signal<this, Cell | null>(this);

  activate(to: Cell | null): void {
    this.activeCell = to;
    this.activeCellChanged.emit(to);
  }
}

let page: CountedTarget;
let browser: CountedTarget;
let now: number;
let told: [string, number][];

beforeEach(() => {
  page = new CountedTarget();
  browser = new CountedTarget();
  Object.assign(globalThis, { document: page, window: browser });
  now = 5000;
  told = [];
});
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'window');
});

function watch(notebook: FakeNotebook) {
  const names: CellName[] = [];
  const focus = new FocusWatch(
    notebook as unknown as ConstructorParameters<typeof FocusWatch>[0],
    {
      ticks: () => now,
      left: (name, ms) => {
        names.push(name);
        told.push([name.id, ms]);
      }
    }
  );
  return { focus, names };
}

/** The student presses a key, clicks or scrolls after a while. */
function input(notebook: FakeNotebook, after: number, type = 'keydown'): void {
  now += after;
  notebook.node.dispatchEvent(new Event(type));
}

it('is told when the student goes on to another cell', () => {
  const a = cell('a', 'mean');
  const notebook = new FakeNotebook(a);
  const { names } = watch(notebook);
  input(notebook, 0, 'pointerdown');
  input(notebook, 4000);
  input(notebook, 3000, 'wheel');
  input(notebook, 500, 'pointerdown');
  notebook.activate(cell('b'));
  expect(told).toEqual([['a', 7500]]);
  expect(names[0]).toEqual({ id: 'a', exercise: 'mean' });
  // The click that left a began b.
  input(notebook, 2000);
  notebook.activate(a);
  expect(told[1]).toEqual(['b', 2000]);
});

it('does not count what goes on without the student', () => {
  const notebook = new FakeNotebook(cell('a'));
  watch(notebook);
  now += 300_000; // Opened, and nothing done.
  input(notebook, 0);
  now += 1_800_000; // Lunch.
  input(notebook, 0);
  input(notebook, 1000);
  notebook.activate(cell('b'));
  expect(told).toEqual([['a', IDLE_MS + 1000]]);
  now += 50_000; // Run All walked on by itself, long after the last input.
  notebook.activate(cell('c'));
  now += 30_000;
  notebook.activate(cell('d'));
  expect(told).toHaveLength(2);
  expect(told[1]).toEqual(['b', 50_000]);
});

it('is not told of a cell that was passed through, or chosen again', () => {
  const a = cell('a');
  const notebook = new FakeNotebook(a);
  watch(notebook);
  input(notebook, 0);
  input(notebook, 999);
  notebook.activate(cell('b'));
  input(notebook, 300);
  notebook.activate(cell('c'));
  expect(told).toEqual([]);
  const c = notebook.activeCell;
  input(notebook, 5000);
  notebook.activate(c);
  expect(told).toEqual([]);
});

it('stops with the tab, and is told then: it may never come back', () => {
  const notebook = new FakeNotebook(cell('a'));
  watch(notebook);
  input(notebook, 0);
  now += 6000;
  page.visibilityState = 'hidden';
  page.dispatchEvent(new Event('visibilitychange'));
  expect(told).toEqual([['a', 6000]]);
  now += 40_000;
  page.visibilityState = 'visible';
  page.dispatchEvent(new Event('visibilitychange'));
  now += 2000;
  browser.dispatchEvent(new Event('pagehide'));
  expect(told).toHaveLength(1);
  input(notebook, 0);
  now += 3000;
  browser.dispatchEvent(new Event('pagehide'));
  expect(told[1]).toEqual(['a', 3000]);
});

it('is told when the notebook is left or closed, and leaves no listener behind', () => {
  const notebook = new FakeNotebook(cell('a'));
  const { focus } = watch(notebook);
  expect([notebook.node.listening, page.listening, browser.listening]).toEqual([
    3, 1, 1
  ]);
  input(notebook, 0);
  now += 1500;
  focus.leave();
  input(notebook, 10_000);
  now += 1200;
  focus.dispose();
  focus.dispose();
  expect(told).toEqual([
    ['a', 1500],
    ['a', 1200]
  ]);
  expect([notebook.node.listening, page.listening, browser.listening]).toEqual([
    0, 0, 0
  ]);
  input(notebook, 5000);
  notebook.activate(cell('b'));
  expect(told).toHaveLength(2);
});

it('a cell that was deleted is told by the name that it had', () => {
  const notebook = new FakeNotebook(cell('a', 'mean'));
  const { names } = watch(notebook);
  input(notebook, 0);
  now += 2000;
  notebook.activate(null);
  expect(names).toEqual([{ id: 'a', exercise: 'mean' }]);
});

it('never counts a moment twice, nor more than the time that passed', () => {
  const step = fc.tuple(
    fc.constantFrom('input', 'pause', 'take'),
    fc.nat(200_000)
  );
  fc.assert(
    fc.property(fc.array(step), steps => {
      const time = new ActiveTime();
      let at = 0;
      let total = 0;
      let inputs = 0;
      for (const [kind, passed] of steps) {
        at += passed;
        if (kind === 'take') {
          total += time.take(at);
        } else {
          time[kind](at);
          inputs += kind === 'input' ? 1 : 0;
        }
      }
      total += time.take(at);
      expect(total).toBeLessThanOrEqual(Math.min(at, 2 * inputs * IDLE_MS));
    })
  );
});
