/** What a student does to the list of cells: added, removed, moved, pasted. Never what the cells say. */
import type { Notebook } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { guarded } from './guard.js';

/** One thing done to one cell. */
export interface CellChange {
  action: 'added' | 'removed' | 'moved' | 'pasted';
  id: string;
}

/**
 * What happened between two orders of a notebook's cells. A change of type, which removes
 * a cell and inserts it in the same place, is nothing.
 *
 * @param inserted ids that were inserted on the way; where there are none to tell, as few
 *   cells as possible have moved.
 */
export function diffCells(
  before: readonly string[],
  after: readonly string[],
  inserted: ReadonlySet<string>
): CellChange[] {
  const place = new Map(before.map((id, index) => [id, index]));
  const here = new Set(after);
  const stayed = after.filter(id => place.has(id));
  const places = (ids: readonly string[]): number[] =>
    ids.map(id => place.get(id) ?? 0);
  let moved: ReadonlySet<string> = new Set();
  if (!isRising(places(stayed))) {
    moved = isRising(places(stayed.filter(id => !inserted.has(id))))
      ? new Set(stayed.filter(id => inserted.has(id)))
      : new Set(longestRising(places(stayed), stayed));
  }
  return [
    ...before
      .filter(id => !here.has(id))
      .map(id => ({ action: 'removed' as const, id })),
    ...after
      .filter(id => !place.has(id) || moved.has(id))
      .map(id => ({
        action: place.has(id) ? ('moved' as const) : ('added' as const),
        id
      }))
  ];
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every(
    (number, index) => index === 0 || number > (numbers[index - 1] ?? 0)
  );
}

/** The ids that are *not* in a longest rising sequence of `numbers`. */
function longestRising(
  numbers: readonly number[],
  ids: readonly string[]
): string[] {
  // Patience sorting: the last index of the best sequence of each length, and who came before.
  const tails: number[] = [];
  const previous: number[] = [];
  numbers.forEach((number, index) => {
    let at = tails.findIndex(tail => (numbers[tail] ?? 0) >= number);
    at = at < 0 ? tails.length : at;
    previous[index] = tails[at - 1] ?? -1;
    tails[at] = index;
  });
  const kept = new Set<number>();
  for (
    let index = tails.at(-1) ?? -1;
    index >= 0;
    index = previous[index] ?? -1
  ) {
    kept.add(index);
  }
  return ids.filter((_id, index) => !kept.has(index));
}

/** The shared cells, as far as they are used here. */
export interface SharedCells {
  readonly cells: readonly { getId(): string; getSource(): string }[];
  readonly ydoc: { getArray(name: string): ObservableCells };
}

interface ObservableCells {
  observe(listener: (event: CellsEvent) => void): void;
  unobserve(listener: (event: CellsEvent) => void): void;
}

/** A change of the shared list of cells. */
export interface CellsEvent {
  readonly transaction: { readonly local: boolean; readonly origin: unknown };
  readonly changes: {
    readonly delta: readonly {
      insert?: readonly { get(key: string): unknown }[] | string | object;
    }[];
  };
}

/** The editor keeps pastes to itself. */
const CAPTURE = { capture: true } as const;

/** Takes what was done; `chars` of what was pasted. */
export type TellEdit = (change: CellChange, chars: number | null) => void;

/** Watches the cells of one notebook, whichever views it has. */
export class EditWatch implements IDisposable {
  constructor(shared: SharedCells, tell: TellEdit) {
    this._shared = shared;
    this._tell = tell;
    this._ids = shared.cells.map(cell => cell.getId());
    this._list = shared.ydoc.getArray('cells');
    this._list.observe(this._onCells);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Begins to watch for pastes in a view, if it does not yet. */
  addView(notebook: Notebook): void {
    if (this._views.includes(notebook)) {
      return;
    }
    notebook.cellsPasted?.connect(this._onCellsPasted, this);
    notebook.node.addEventListener('paste', this._onPaste, CAPTURE);
    this._views.push(notebook);
  }

  /** Stops watching a view that is closed. */
  removeView(notebook: Notebook): void {
    if (!this._views.includes(notebook)) {
      return;
    }
    notebook.cellsPasted?.disconnect(this._onCellsPasted, this);
    notebook.node.removeEventListener('paste', this._onPaste, CAPTURE);
    this._views = this._views.filter(view => view !== notebook);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._flush();
    this._views.forEach(view => this.removeView(view));
    this._list.unobserve(this._onCells);
    Signal.clearData(this);
  }

  private _onCells = (event: CellsEvent): void => {
    guarded('a change of cells', () => {
      const before = this._ids;
      this._ids = this._shared.cells.map(cell => cell.getId());
      const { local, origin } = event.transaction;
      // Others' edits come from elsewhere; a reload from disk has no origin.
      if (!local || origin === null || isReload(before, this._ids)) {
        return;
      }
      const changes = diffCells(before, this._ids, insertedBy(event));
      if (changes.length > 0 && this._changes.length === 0) {
        // JupyterLab says right after the change whether it was a paste.
        queueMicrotask(() => guarded('telling of edits', () => this._flush()));
      }
      this._changes.push(...changes);
    });
  };

  private _onCellsPasted(): void {
    guarded('a paste of cells', () => {
      for (const change of this._changes) {
        if (change.action === 'added') {
          change.action = 'pasted';
        }
      }
      this._flush();
    });
  }

  private _onPaste = (event: ClipboardEvent): void => {
    guarded('a paste of text', () => {
      const target = event.target as Element | null;
      const chars = event.clipboardData?.getData('text/plain').length ?? 0;
      const view = this._views.find(({ node }) => node === event.currentTarget);
      const id = view?.activeCell?.model.id;
      // Pasted into an editor; cells that are pasted come by the other way.
      if (id && chars > 0 && target?.closest('.cm-content')) {
        this._tell({ action: 'pasted', id }, chars);
      }
    });
  };

  private _flush(): void {
    const changes = this._changes;
    this._changes = [];
    for (const change of changes) {
      this._tell(
        change,
        change.action === 'pasted' ? this._chars(change.id) : null
      );
    }
  }

  private _chars(id: string): number {
    const cell = this._shared.cells.find(one => one.getId() === id);
    return cell?.getSource().length ?? 0;
  }

  private _shared: SharedCells;
  private _tell: TellEdit;
  private _list: ObservableCells;
  private _ids: readonly string[];
  private _changes: CellChange[] = [];
  private _views: Notebook[] = [];
  private _isDisposed = false;
}

/** A file without cell ids was read again: all its cells are others now. */
function isReload(
  before: readonly string[],
  after: readonly string[]
): boolean {
  const known = new Set(before);
  // Who deletes all cells is left with a single new one.
  return known.size > 0 && after.length > 1 && !after.some(id => known.has(id));
}

function insertedBy(event: CellsEvent): Set<string> {
  const ids = new Set<string>();
  for (const { insert } of event.changes.delta) {
    for (const cell of Array.isArray(insert) ? insert : []) {
      ids.add(String((cell as { get(key: string): unknown }).get('id')));
    }
  }
  return ids;
}
