/** Notebooks, kernels and JupyterLab's signals for tests: real signals and documents, scripted kernels. */
import { getEventListeners } from 'node:events';
import { YNotebook } from '@jupyter/ydoc';
import { Signal, type Slot } from '@lumino/signaling';
import type { MessageLike } from '../../src/lab/facts.js';
import type { NotebooksOptions } from '../../src/lab/notebooks.js';
import * as m from './messages.js';
import { untilTheEnd } from './sharedDocs.js';

/** A signal that knows how many slots are connected to it. */
export class CountedSignal<T, U> extends Signal<T, U> {
  override connect(slot: Slot<T, U>, thisArg?: unknown): boolean {
    this._slots.push([slot, thisArg]);
    return super.connect(slot, thisArg);
  }

  /** Slots that are connected now; `Signal.clearData` disconnects without a word. */
  get connections(): number {
    this._slots = this._slots.filter(([slot, thisArg]) => {
      const wasGone = super.connect(slot, thisArg);
      if (wasGone) {
        super.disconnect(slot, thisArg);
      }
      return !wasGone;
    });
    return this._slots.length;
  }

  private _slots: [Slot<T, U>, unknown][] = [];
}

/** An event target that knows its listeners. */
export class CountedTarget extends EventTarget {
  visibilityState = 'visible';

  override addEventListener(
    ...args: Parameters<EventTarget['addEventListener']>
  ): void {
    this._types.add(args[0]);
    super.addEventListener(...args);
  }

  /** Listeners that are there now. */
  get listening(): number {
    return [...this._types].reduce(
      (sum, type) => sum + getEventListeners(this, type).length,
      0
    );
  }

  private _types = new Set<string>();
}

/** A kernel connection whose messages a test writes. */
export class FakeKernel {
  constructor(readonly id: string) {}
  readonly clientId = m.CLIENT;
  readonly handleComms = true;
  status = 'idle';
  readonly anyMessage = new CountedSignal<
    this,
    { msg: MessageLike; direction: 'send' | 'recv' }
  >(this);
  readonly info = Promise.resolve({
    implementation: 'ipython',
    implementation_version: '9.1',
    language_info: { name: 'python', version: '3.11' }
  });
  isDisposed = false;
  readonly comms: FakeComm[] = [];

  createComm(target: string): FakeComm {
    const comm = new FakeComm(`comm-${this.comms.length + 1}`, target);
    this.comms.push(comm);
    return comm;
  }

  sends(...messages: MessageLike[]): void {
    messages.forEach(msg => this.anyMessage.emit({ msg, direction: 'send' }));
  }

  says(...messages: MessageLike[]): void {
    messages.forEach(msg => this.anyMessage.emit({ msg, direction: 'recv' }));
  }

  run(id: string, count: number, code = 'x', metadata?: object): void {
    this.sends(m.request(id, code, metadata));
    this.says(m.input(id, count, code), m.ok(id, count), m.idle(id));
  }
}

class FakeComm {
  constructor(
    readonly commId: string,
    readonly target: string
  ) {}
  readonly sent: unknown[] = [];
  isDisposed = false;
  open(data: unknown): void {
    this.sent.push(data);
  }
  send(data: unknown): void {
    this.sent.push(data);
  }
  close(): void {
    this.isDisposed = true;
  }
}

/** A code cell's widget. */
export interface FakeCell {
  model: {
    id: string;
    type: string;
    metadata: object;
    executionState: string;
    executionCount: number | null;
    isDisposed: boolean;
    outputs: { length: number; get(index: number): { data: object } };
    stateChanged: CountedSignal<object, object>;
    sharedModel: { getSource(): string };
    getMetadata(key: string): unknown;
  };
}

interface CellSpec {
  id: string;
  source: string;
  metadata?: object;
  outputs?: { data: object }[];
}

/** What a notebook is opened with. */
export interface NotebookSpec {
  path: string;
  cells: readonly CellSpec[];
  metadata: object;
  minor: number;
  kernel: FakeKernel | null;
  shutdownOnDispose: boolean;
}

const signal = <U>() => new CountedSignal<object, U>({});

/** A panel as JupyterLab opens it. */
export class FakePanel {
  constructor(spec: Partial<NotebookSpec> = {}) {
    const { path = 'intro.ipynb', cells = [], metadata = {} } = spec;
    const shared = YNotebook.create({
      data: {
        nbformat: 4,
        nbformat_minor: spec.minor ?? 5,
        metadata,
        cells: cells.map(({ id, source, metadata: own }) => ({
          id,
          cell_type: 'code' as const,
          source,
          metadata: own ?? {},
          outputs: [],
          execution_count: null
        }))
      } as Parameters<typeof YNotebook.create>[0] extends infer O
        ? NonNullable<O extends { data?: infer D } ? D : never>
        : never
    });
    untilTheEnd(shared);
    this.cells = shared.cells.map((cell, index) => ({
      model: {
        id: cell.getId(),
        type: 'code',
        metadata: cells[index]?.metadata ?? {},
        executionState: 'idle',
        executionCount: null,
        isDisposed: false,
        outputs: {
          length: cells[index]?.outputs?.length ?? 0,
          get: (at: number) => cells[index]!.outputs![at]!
        },
        stateChanged: signal<object>(),
        sharedModel: { getSource: () => cell.getSource() },
        getMetadata: (key: string) => cell.getMetadata(key)
      }
    }));
    this.context = {
      path,
      ready: Promise.resolve(),
      saveState: signal<string>(),
      pathChanged: signal<string>(),
      model: {
        sharedModel: shared,
        cells: this.cells.map(({ model }) => model)
      }
    };
    const sender = {};
    this.sessionContext = Object.assign(sender, {
      ready: Promise.resolve(),
      session: { kernel: spec.kernel ?? null },
      kernelPreference: { shutdownOnDispose: spec.shutdownOnDispose ?? false },
      kernelChanged: signal<{ newValue: FakeKernel | null }>(),
      statusChanged: signal<string>(),
      disposed: new CountedSignal<object, void>(sender)
    });
    this.content = {
      node: new CountedTarget(),
      activeCell: this.cells[0] ?? null,
      activeCellChanged: signal<FakeCell | null>(),
      cellsPasted: signal<object>()
    };
  }

  readonly cells: FakeCell[];
  readonly context;
  readonly sessionContext;
  readonly content;
  readonly disposed = new CountedSignal<FakePanel, void>(this);

  activate(index: number): void {
    this.content.activeCell = this.cells[index]!;
    this.content.activeCellChanged.emit(this.cells[index]!);
  }

  status(...statuses: string[]): void {
    statuses.forEach(status => this.sessionContext.statusChanged.emit(status));
  }

  changeKernel(newValue: FakeKernel | null): void {
    this.sessionContext.session.kernel = newValue;
    this.sessionContext.kernelChanged.emit({ newValue });
  }

  /** Closes the view and, unless another one is open, the notebook. */
  close(last = true): void {
    this.disposed.emit();
    if (last) {
      this.sessionContext.disposed.emit();
    }
  }

  /** Slots and listeners that anybody has here. */
  get connections(): number {
    const { context, sessionContext, content, cells } = this;
    return [
      this.disposed,
      context.saveState,
      context.pathChanged,
      sessionContext.kernelChanged,
      sessionContext.statusChanged,
      sessionContext.disposed,
      sessionContext.session.kernel?.anyMessage,
      content.activeCellChanged,
      content.cellsPasted,
      ...cells.map(({ model }) => model.stateChanged)
    ].reduce(
      (sum, one) => sum + (one?.connections ?? 0),
      content.node.listening
    );
  }
}

/** A notebook tracker and `NotebookActions`. */
export class FakeLab {
  readonly panels: FakePanel[] = [];
  readonly tracker = {
    currentWidget: null as FakePanel | null,
    widgetAdded: signal<FakePanel>(),
    currentChanged: signal<FakePanel | null>(),
    forEach: (action: (panel: FakePanel) => void) => this.panels.forEach(action)
  };
  readonly actions = {
    executionScheduled: signal<object>(),
    executed: signal<object>()
  };

  open(panel: FakePanel): FakePanel {
    this.panels.push(panel);
    this.tracker.widgetAdded.emit(panel);
    this.show(panel);
    return panel;
  }

  show(panel: FakePanel | null): void {
    this.tracker.currentWidget = panel;
    this.tracker.currentChanged.emit(panel);
  }

  close(panel: FakePanel): void {
    this.panels.splice(this.panels.indexOf(panel), 1);
    panel.close();
    this.show(this.panels[0] ?? null);
  }

  scheduled(panel: FakePanel, index: number): void {
    this.actions.executionScheduled.emit({
      notebook: panel.content,
      cell: panel.cells[index]
    });
  }

  executed(panel: FakePanel, index: number, success = true): void {
    this.actions.executed.emit({
      notebook: panel.content,
      cell: panel.cells[index],
      success
    });
  }

  /** Slots connected to what lives as long as the page. */
  get connections(): number {
    const { tracker, actions } = this;
    return (
      tracker.widgetAdded.connections +
      tracker.currentChanged.connections +
      actions.executionScheduled.connections +
      actions.executed.connections
    );
  }

  /** Itself as the notebooks take it. */
  get options(): Pick<NotebooksOptions, 'tracker' | 'actions'> {
    return { tracker: this.tracker, actions: this.actions } as unknown as Pick<
      NotebooksOptions,
      'tracker' | 'actions'
    >;
  }
}
