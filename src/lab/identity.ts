/**
 * Which exercise a cell belongs to: what its metadata says, unless it is a copy; for
 * notebooks whose format has no cell ids, a name made of the cell's source.
 */
import { v5 } from 'uuid';
import { ID_NAMESPACE } from '../events/ids.js';

/** A cell as far as its identity goes. */
export interface CellFacts {
  /** The notebook format's id, or the one that the page made for this opening. */
  id: string;
  /** Exercise in the cell's metadata. */
  exercise(): string | null;
  source(): string;
}

/** The exercises of one open notebook. */
export class Identity {
  /**
   * @param cells the notebook as it was loaded; its cells keep the exercise they name, also
   *   where several name the same (the code and its check, say).
   * @param lasting whether the file keeps cell ids (nbformat 4.5 and later).
   */
  constructor(cells: readonly CellFacts[], lasting: boolean) {
    this._lasting = lasting;
    this._load(cells);
  }

  /**
   * The exercise of the cell `id`, or the stand-in for its id where the file keeps none;
   * null where the cell's own id has to do.
   *
   * A cell that was created in this page (a copy, a split, a paste) has the exercise of its
   * metadata only if no loaded cell has it, and then the first one in document order.
   *
   * @param cells the notebook's cells as they are now; asked only where that decides.
   */
  exercise(
    id: string,
    declared: string | null,
    cells: () => readonly CellFacts[]
  ): string | null {
    if (!this._loaded.has(id) && (declared !== null || !this._lasting)) {
      const now = cells();
      // Reverting to the file gives its cells new ids where the format has none.
      if (!this._lasting && !now.some(cell => this._loaded.has(cell.id))) {
        this._load(now);
      }
      if (declared !== null && !this._loaded.has(id)) {
        return this._claims(id, declared, now) ? declared : null;
      }
    }
    return declared ?? this._standIns.get(id) ?? null;
  }

  private _claims(
    id: string,
    exercise: string,
    now: readonly CellFacts[]
  ): boolean {
    const others = now.filter(cell => cell.exercise() === exercise);
    const had = this._claimed.get(exercise);
    const owner =
      others.find(cell => this._loaded.has(cell.id)) ??
      others.find(cell => cell.id === had) ??
      others[0];
    if (owner && !this._loaded.has(owner.id)) {
      this._claimed.set(exercise, owner.id);
    }
    // A cell that is gone already may still be running.
    return owner ? owner.id === id : (had ?? id) === id;
  }

  private _load(cells: readonly CellFacts[]): void {
    this._loaded = new Set(cells.map(cell => cell.id));
    this._standIns.clear();
    if (this._lasting) {
      return;
    }
    const seen = new Map<string, number>();
    for (const cell of cells) {
      const hash = `h-${v5(cell.source(), ID_NAMESPACE).replaceAll('-', '').slice(0, 12)}`;
      const ordinal = (seen.get(hash) ?? 0) + 1;
      seen.set(hash, ordinal);
      this._standIns.set(cell.id, ordinal === 1 ? hash : `${hash}-${ordinal}`);
    }
  }

  private _lasting: boolean;
  private _loaded = new Set<string>();
  private _standIns = new Map<string, string>();
  /** Who, of the cells created here, has an exercise that no loaded cell has. */
  private _claimed = new Map<string, string>();
}

/** The exercise in a cell's `ipynb_telemetry` metadata. */
export function exerciseIn(ours: unknown): string | null {
  const exercise =
    typeof ours === 'object' && ours !== null && 'exercise' in ours
      ? ours.exercise
      : null;
  return typeof exercise === 'string' && exercise !== '' ? exercise : null;
}
