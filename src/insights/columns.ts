/** The exercises of a course in the order in which the class first tried them, grouped by notebook. */
import { exerciseKey, type Exercise } from '../api/index.js';
import { isAfter, type Moment } from './moment.js';

interface Column {
  exercise: Exercise;
  first: Moment;
}

/** Columns of the grid. No notebook is at hand to tell the true order; the class nearly follows it. */
export class Columns {
  /** Notes that `exercise` was tried at `moment`. Returns whether columns came or may have moved. */
  note(exercise: Exercise, moment: Moment): boolean {
    const key = exerciseKey(exercise);
    const known = this._columns.get(key);
    if (known && !isAfter(known.first, moment)) {
      return false;
    }
    this._columns.set(key, { exercise, first: moment });
    this._sorted = null;
    return true;
  }

  /** All columns: notebooks by their earliest exercise, exercises by their first try. */
  list(): Exercise[] {
    this._sorted ??= this._sort();
    return this._sorted;
  }

  private _sort(): Exercise[] {
    const byFirst = [...this._columns.values()].sort(
      (a, b) => a.first.at - b.first.at || (isAfter(a.first, b.first) ? 1 : -1)
    );
    const notebooks = new Map<string, Exercise[]>();
    for (const { exercise } of byFirst) {
      const group = notebooks.get(exercise.notebook);
      if (group) {
        group.push(exercise);
      } else {
        notebooks.set(exercise.notebook, [exercise]);
      }
    }
    return [...notebooks.values()].flat();
  }

  private readonly _columns = new Map<string, Column>();
  private _sorted: Exercise[] | null = null;
}
