/** One open notebook, whichever views it has: its sessions, and everything that is told of it. */
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { eventId } from '../events/ids.js';
import type { Properties } from '../events/types.js';
import type { EditWatch, SharedCells } from './edits.js';
import { HELLO_MIME, readHello } from './facts.js';
import { FocusWatch } from './focus.js';
import { guarded } from './guard.js';
import { exerciseIn, Identity, type CellFacts } from './identity.js';
import type { Consent } from './made.js';
import { readMarking, SETUP_CALL, stem, type Marking } from './marking.js';
import type { NotebooksOptions } from './notebooks.js';
import type { Recording } from './recording.js';
import { cellEvent } from './runs.js';
import { ServerRuns, type RunningCell } from './serverRuns.js';
import type { SessionMemory } from './sessionMemory.js';
import { Sessions } from './sessions.js';
import { KernelWatch } from './watch.js';

/** What a notebook needs beside what all of them do. */
export interface FollowedOptions extends NotebooksOptions {
  memory: SessionMemory;
  /** The student's decision that is in force; null where there is none. */
  consent: () => Consent | null;
  /** A session began, changed or ended. */
  changed: () => void;
}

/** An open notebook. */
export class FollowedNotebook implements IDisposable {
  constructor(panel: NotebookPanel, options: FollowedOptions) {
    this._options = options;
    this._context = panel.context;
    this.sessions = new Sessions({
      ...options,
      recorded: () =>
        this._marking !== null &&
        (this._marking.marked || options.record() === 'all'),
      notebookId: () => this._marking?.id ?? stem(this._context.path),
      hasSetup: () => this._marking?.hasSetup ?? true,
      kernelFacts: () => this._watch.kernelFacts,
      now: () => Date.now(),
      changed: () => {
        this._connect();
        options.changed();
      }
    });
    const exerciseOf = (cell: string, declared: string | null) =>
      this._exerciseOf(cell, declared);
    this._watch = new KernelWatch(panel.sessionContext, {
      ...options,
      sessions: this.sessions,
      exerciseOf,
      requested: (cell, code) => this._requested(cell, code),
      kernelGone: () => this._serverRuns.loseAll()
    });
    this._serverRuns = new ServerRuns({
      ...options,
      isRunning: cell => this.recording.isRunning(cell),
      hasKernel: () => this._watch.hasKernel,
      exerciseOf,
      numberOf: count => this.recording.numberOf(count),
      now: () => Date.now(),
      ended: (ended, hello) => {
        if (hello) {
          this.recording.announced(hello, null);
        }
        if (ended.outcome.status === 'interrupted') {
          this.recording.interrupted(null);
        }
        // What runs beside it, the kernel package reports by itself.
        if (this.sessions.announced === null) {
          const { run, outcome, at } = ended;
          this.recording.results.ended(null, ended);
          this.sessions.add(cellEvent(eventId(), run, outcome, at));
          this.sessions.runEnded();
        }
      }
    });
    this.addView(panel);
    guarded('reading a notebook', () => this._whenReady(panel));
  }

  readonly sessions: Sessions;

  /** What happens in its kernel. */
  get recording(): Recording {
    return this._watch.recording;
  }

  /** Whether it is recorded, or would be if the student agreed. */
  get concerned(): boolean {
    const { announced } = this.sessions;
    return (
      announced !== null ||
      (this._marking !== null &&
        (this._marking.marked || this._options.record() === 'all'))
    );
  }

  /** Whether a setup cell may begin a session, and asks for the name. */
  get hasSetup(): boolean {
    return this._marking?.hasSetup ?? true;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Its views, oldest first. */
  get views(): readonly NotebookPanel[] {
    return this._views;
  }

  addView(panel: NotebookPanel): void {
    this._views.push(panel);
    panel.disposed.connect(this._onViewClosed, this);
    this._connect();
  }

  /** Something that decides what is told became known, or changed. */
  refresh(): void {
    this.sessions.settle();
    this._tellOpened();
    this._connect();
  }

  /** The student decided on the course. */
  consented(): void {
    if (this._options.consent()?.agreed === false) {
      this.sessions.forget();
    }
    this.recording.tellConsent();
  }

  /** The student turned to another notebook. */
  leave(): void {
    this._focus.forEach(focus => focus.leave());
  }

  /** A run was scheduled in one of its views. */
  scheduled(cell: Cell): void {
    if (cell.model.type === 'code') {
      this._serverRuns.scheduled((cell as CodeCell).model as RunningCell);
    }
  }

  /** An executor is done with a cell. */
  executed(cell: Cell, success: boolean): void {
    this._serverRuns.executed(cell.model.id, success);
  }

  /** The notebook is closed. Called while its connection to the kernel still stands. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const panel of this._views) {
      panel.disposed.disconnect(this._onViewClosed, this);
    }
    this._disconnect();
    guarded('closing a notebook', () => {
      this._serverRuns.loseAll();
      if (this._options.collects('notebook')) {
        this._tell('notebook', { action: 'closed' });
      }
    });
    this._watch.dispose();
    this._views = [];
    Signal.clearData(this);
  }

  private async _whenReady(panel: NotebookPanel): Promise<void> {
    await this._context.ready;
    if (this._isDisposed) {
      return;
    }
    this._opened = new Date();
    this._readMarking();
    const { sharedModel } = this._context.model;
    this._identity = new Identity(
      this._cells(),
      sharedModel.nbformat > 4 || sharedModel.nbformat_minor >= 5
    );
    const saysHello = hasHello(panel.context.model);
    if (saysHello && this._marking) {
      this._marking = { ...this._marking, marked: true, hasSetup: true };
    }
    this.refresh();
    this._options.changed();
    await panel.sessionContext.ready;
    if (this._isDisposed) {
      return;
    }
    this.sessions.kernelIs(panel.sessionContext.session?.kernel?.id ?? null);
    // After a reload the kernel may still be in the session that the saved output speaks of.
    if (saysHello) {
      this.recording.reattach();
    }
  }

  private _requested(cell: string, code: string): void {
    this._serverRuns.requested(cell);
    if (this._marking?.hasSetup === false && code.includes(SETUP_CALL)) {
      this._readMarking();
      this._connect();
      this._options.changed();
    }
  }

  private _readMarking(): void {
    const { sharedModel } = this._context.model;
    this._marking = readMarking({
      metadata: {
        ipynb_telemetry: sharedModel.getMetadata('ipynb_telemetry')
      },
      cells: sharedModel.cells.map(cell => ({
        source: cell.getSource(),
        metadata: { ipynb_telemetry: cell.getMetadata('ipynb_telemetry') }
      }))
    });
  }

  private _cells(): CellFacts[] {
    return this._context.model.sharedModel.cells.map(cell => ({
      id: cell.getId(),
      exercise: () => exerciseIn(cell.getMetadata('ipynb_telemetry')),
      source: () => cell.getSource()
    }));
  }

  private _exerciseOf(id: string, declared: string | null): string | null {
    return this._identity === null
      ? declared
      : this._identity.exercise(id, declared, () => this._cells());
  }

  /** Notes what the cells are called while they are there to ask. */
  private _nameCells(): void {
    for (const { id, exercise } of this._cells()) {
      this._names.set(id, this._exerciseOf(id, exercise()) ?? id);
    }
  }

  /** Connects what is collected, and nothing else. */
  private _connect(): void {
    guarded('following a notebook', () => {
      const { collects } = this._options;
      const on =
        !this._isDisposed && this._identity !== null && this.sessions.recorded;
      this._connectFocus(on && collects('focus'));
      this._connectEdits(on && collects('edit'));
      this._connectFile(on && collects('notebook'));
    });
  }

  private _disconnect(): void {
    this._connectFocus(false);
    this._connectEdits(false);
    this._connectFile(false);
  }

  private _connectFocus(on: boolean): void {
    for (const panel of on ? this._views : []) {
      if (!this._focus.has(panel)) {
        const focus = new FocusWatch(panel.content, {
          ticks: () => performance.now(),
          left: ({ id, exercise }, ms) =>
            this._tell('focus', {
              cell_id: this._exerciseOf(id, exercise) ?? id,
              ms
            })
        });
        this._focus.set(panel, focus);
      }
    }
    for (const [panel, focus] of this._focus) {
      if (!on || !this._views.includes(panel)) {
        this._focus.delete(panel);
        focus.dispose();
      }
    }
  }

  private _connectEdits(on: boolean): void {
    if (on && Watch === null) {
      // Few courses collect them, and every page would load it.
      guarded('loading the edits', async () => {
        ({ EditWatch: Watch } = await import('./edits.js'));
        this._connect();
      });
    } else if (on && this._edits === null) {
      const shared = this._context.model.sharedModel as unknown as SharedCells;
      this._nameCells();
      this._edits = new Watch!(shared, ({ action, id }, chars) => {
        if (action !== 'removed') {
          this._nameCells();
        }
        this._tell('edit', {
          action,
          cell_id: this._names.get(id) ?? id,
          ...(chars === null ? {} : { chars })
        });
      });
    } else if (!on) {
      this._edits?.dispose();
      this._edits = null;
      this._names.clear();
    }
    this._views.forEach(panel => this._edits?.addView(panel.content));
  }

  private _connectFile(on: boolean): void {
    if (on === this._isFileConnected) {
      return;
    }
    this._isFileConnected = on;
    if (on) {
      this._context.saveState.connect(this._onSaved, this);
      this._context.pathChanged.connect(this._onRenamed, this);
    } else {
      this._context.saveState.disconnect(this._onSaved, this);
      this._context.pathChanged.disconnect(this._onRenamed, this);
    }
  }

  private _tellOpened(): void {
    if (!this._options.keeps()) {
      this._opened = null; // It was opened before anything might be told.
    }
    if (
      this._opened !== null &&
      this._options.collects('notebook') &&
      this._tell('notebook', { action: 'opened' }, this._opened)
    ) {
      this._opened = null;
    }
  }

  private _onSaved(_sender: unknown, state: string): void {
    if (state === 'completed') {
      guarded('a save', () => void this._tell('notebook', { action: 'saved' }));
    }
  }

  private _onRenamed(): void {
    guarded('a rename', () => {
      this._tell('notebook', { action: 'renamed' });
    });
  }

  private _onViewClosed(panel: NotebookPanel): void {
    this._views = this._views.filter(view => view !== panel);
    this._edits?.removeView(panel.content);
    this._connect();
  }

  private _tell(
    name: 'notebook' | 'focus' | 'edit',
    properties: Properties,
    at = new Date()
  ): boolean {
    return this.sessions.add({ name, uuid: eventId(), at, properties });
  }

  private _options: FollowedOptions;
  private _context: NotebookPanel['context'];
  private _watch: KernelWatch;
  private _serverRuns: ServerRuns;
  private _views: NotebookPanel[] = [];
  /** Null until the notebook is loaded. */
  private _marking: Marking | null = null;
  private _identity: Identity | null = null;
  /** When it was opened; null once that is told, or is not to be. */
  private _opened: Date | null = null;
  private _focus = new Map<NotebookPanel, FocusWatch>();
  private _edits: EditWatch | null = null;
  /** Cell ids as they are told, also of cells that have been removed. */
  private _names = new Map<string, string>();
  private _isFileConnected = false;
  private _isDisposed = false;
}

/** What watches edits, once a course collects them. */
let Watch: typeof EditWatch | null = null;

/** Whether the notebook's saved outputs hold a hello of the kernel package. */
function hasHello(model: NotebookPanel['context']['model']): boolean {
  for (const cell of model.cells) {
    const { outputs } = cell as Partial<RunningCell>;
    for (let index = 0; index < (outputs?.length ?? 0); index++) {
      if (readHello(outputs?.get(index).data[HELLO_MIME])) {
        return true;
      }
    }
  }
  return false;
}
