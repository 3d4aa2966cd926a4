/** How long a student works in a cell: the time between inputs, without hidden tabs and without pauses. */
import type { Cell } from '@jupyterlab/cells';
import type { Notebook } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { guarded } from './guard.js';
import { exerciseIn } from './identity.js';

/** Without an input for longer than this the student is taken to be elsewhere. */
export const IDLE_MS = 60_000;
/** Less than this in a cell is passing through. */
export const SHORTEST_MS = 1000;
/** A cell that becomes active so soon after an input was chosen by the student. */
const CHOSEN_MS = 1000;

/** Adds up active time, in milliseconds of any monotonic clock. */
export class ActiveTime {
  /** The student did something. Called for each key: it only adds up. */
  input(now: number): void {
    this._addUp(now);
    this._last = now;
  }

  /** The student looks away; the time so far is kept. */
  pause(now: number): void {
    this._addUp(now);
    this._last = null;
  }

  /** The student goes on elsewhere; gives the time so far and begins anew. */
  take(now: number): number {
    this._addUp(now);
    const total = this._total;
    this._total = 0;
    const chosen = this._last !== null && now - this._last <= CHOSEN_MS;
    this._last = chosen ? now : null;
    return total;
  }

  private _addUp(now: number): void {
    if (this._last !== null) {
      this._total += Math.min(Math.max(0, now - this._last), IDLE_MS);
    }
  }

  private _last: number | null = null;
  private _total = 0;
}

const INPUTS = ['keydown', 'pointerdown', 'wheel'] as const;
/** Before those who send the last batch. */
const FIRST = { capture: true } as const;
const PASSIVE = { capture: true, passive: true } as const;

/** What a focus watch tells, and how it knows the time. */
export interface FocusOptions {
  /** The student left a cell after `ms` of active time. */
  left: (cell: CellName, ms: number) => void;
  /** Monotonic clock in milliseconds. */
  ticks: () => number;
}

/** A cell, by what is left of it when it has been deleted. */
export interface CellName {
  id: string;
  /** The exercise in its metadata. */
  exercise: string | null;
}

/** Watches in which cell of one view the student works. */
export class FocusWatch implements IDisposable {
  constructor(notebook: Notebook, options: FocusOptions) {
    this._notebook = notebook;
    this._options = options;
    this._cell = nameOf(notebook.activeCell);
    notebook.activeCellChanged.connect(this._onActiveCell, this);
    for (const type of INPUTS) {
      notebook.node.addEventListener(type, this._onInput, PASSIVE);
    }
    document.addEventListener('visibilitychange', this._onVisibility, FIRST);
    window.addEventListener('pagehide', this._onPageHide, FIRST);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The student turned to another notebook, or leaves. */
  leave(): void {
    this._time.pause(this._options.ticks());
    this._tell();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    guarded('leaving a cell', () => this.leave());
    for (const type of INPUTS) {
      this._notebook.node.removeEventListener(type, this._onInput, PASSIVE);
    }
    document.removeEventListener('visibilitychange', this._onVisibility, FIRST);
    window.removeEventListener('pagehide', this._onPageHide, FIRST);
    Signal.clearData(this);
  }

  private _onInput = (): void => {
    this._time.input(this._options.ticks());
  };

  private _onVisibility = (): void => {
    if (document.visibilityState === 'hidden') {
      this._onPageHide();
    }
  };

  private _onPageHide = (): void => {
    guarded('leaving a cell', () => this.leave());
  };

  private _onActiveCell(_sender: Notebook, cell: Cell | null): void {
    guarded('a change of cell', () => {
      const name = nameOf(cell);
      if (name?.id !== this._cell?.id) {
        this._tell();
        this._cell = name;
      }
    });
  }

  private _tell(): void {
    const ms = this._time.take(this._options.ticks());
    if (this._cell !== null && ms >= SHORTEST_MS) {
      this._options.left(this._cell, Math.round(ms));
    }
  }

  private _notebook: Notebook;
  private _options: FocusOptions;
  private _time = new ActiveTime();
  private _cell: CellName | null;
  private _isDisposed = false;
}

function nameOf(cell: Cell | null): CellName | null {
  return (
    cell && {
      id: cell.model.id,
      exercise: exerciseIn(cell.model.getMetadata('ipynb_telemetry'))
    }
  );
}
