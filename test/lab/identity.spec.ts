/** Which exercise a cell belongs to; that copies do not inherit one; names where the format has none. */
import fc from 'fast-check';
import {
  exerciseIn,
  Identity,
  type CellFacts
} from '../../src/lab/identity.js';

interface Cell {
  id: string;
  exercise: string | null;
  source: string;
}
const cell = (
  id: string,
  exercise: string | null = null,
  source = id
): Cell => ({
  id,
  exercise,
  source
});
const facts = (cells: readonly Cell[]): CellFacts[] =>
  cells.map(({ id, exercise, source }) => ({
    id,
    exercise: () => exercise,
    source: () => source
  }));
/** Exercises of all cells as the notebook stands. */
const all = (identity: Identity, cells: readonly Cell[]) =>
  cells.map(({ id, exercise }) =>
    identity.exercise(id, exercise, () => facts(cells))
  );

describe('in a notebook whose format has cell ids', () => {
  it('a cell has the exercise of its metadata, as several loaded ones may', () => {
    const cells = [cell('a', 'mean'), cell('b', 'mean'), cell('c')];
    expect(all(new Identity(facts(cells), true), cells)).toEqual([
      'mean',
      'mean',
      null
    ]);
  });

  it('a copy has none, above its original or below, as long as that is there', () => {
    const loaded = [cell('a', 'mean'), cell('b')];
    const identity = new Identity(facts(loaded), true);
    const cells = [cell('copy1', 'mean'), ...loaded, cell('copy2', 'mean')];
    expect(all(identity, cells)).toEqual([null, 'mean', null, null]);
    expect(all(identity, [loaded[1]!, cells[3]!])).toEqual([null, 'mean']);
  });

  it('a cell that was cut and pasted, or whose deletion was undone, is the same', () => {
    const loaded = [cell('a', 'mean'), cell('b')];
    const identity = new Identity(facts(loaded), true);
    expect(all(identity, [loaded[1]!])).toEqual([null]);
    expect(all(identity, [loaded[1]!, loaded[0]!])).toEqual([null, 'mean']);
  });

  it('of cells pasted from elsewhere the first one has it, and keeps it', () => {
    const identity = new Identity(facts([cell('a')]), true);
    const pasted = [cell('a'), cell('p1', 'sum'), cell('p2', 'sum')];
    expect(all(identity, pasted)).toEqual([null, 'sum', null]);
    expect(all(identity, [pasted[2]!, pasted[1]!])).toEqual([null, 'sum']);
    expect(all(identity, [cell('p0', 'sum'), ...pasted])).toEqual([
      null,
      null,
      'sum',
      null
    ]);
  });

  it('a pasted cell that is deleted while it runs still has it', () => {
    const identity = new Identity(facts([cell('a')]), true);
    all(identity, [cell('a'), cell('p1', 'sum')]);
    expect(identity.exercise('p1', 'sum', () => facts([cell('a')]))).toBe(
      'sum'
    );
  });

  it('is not asked for all its cells where nothing depends on them', () => {
    const identity = new Identity(facts([cell('a', 'mean')]), true);
    const never = () => {
      throw new Error('asked');
    };
    expect(identity.exercise('a', 'mean', never)).toBe('mean');
    expect(identity.exercise('new', null, never)).toBeNull();
  });
});

describe('in a notebook whose format has no cell ids', () => {
  const sources = ['import math', 'x = 1', 'x = 1', ''];
  const opened = (ids: readonly string[]) => {
    const cells = ids.map((id, index) => cell(id, null, sources[index]));
    return { cells, identity: new Identity(facts(cells), false) };
  };

  it('a cell is called by its source at each opening, equal ones by their order', () => {
    const first = opened(['a1', 'a2', 'a3', 'a4']);
    const second = opened(['b1', 'b2', 'b3', 'b4']);
    const names = all(first.identity, first.cells);
    expect(all(second.identity, second.cells)).toEqual(names);
    expect(new Set(names).size).toBe(4);
    expect(names[2]).toBe(`${names[1]}-2`);
    for (const name of names) {
      expect(name).toMatch(/^h-[0-9a-f]{12}(-2)?$/);
    }
  });

  it('the name stays when the cell is edited or moved; new cells have none', () => {
    const { cells, identity } = opened(['a1', 'a2', 'a3', 'a4']);
    const names = all(identity, cells);
    const edited = [...cells].reverse().map(one => ({ ...one, source: 'new' }));
    expect(all(identity, edited)).toEqual([...names].reverse());
    expect(all(identity, [...cells, cell('new')])[4]).toBeNull();
  });

  it('an exercise goes before, and survives reading the file again', () => {
    const cells = [cell('a', 'mean'), cell('b', 'mean'), cell('c')];
    const identity = new Identity(facts(cells), false);
    expect(all(identity, cells).slice(0, 2)).toEqual(['mean', 'mean']);
    const again = [cell('x', 'mean'), cell('y', 'mean'), cell('z', null, 'c')];
    expect(all(identity, again)).toEqual(all(identity, cells));
  });
});

it('no two cells have one exercise because of copies, whatever is done', () => {
  const step = fc.tuple(
    fc.constantFrom('copy', 'delete', 'move'),
    fc.nat(20),
    fc.nat(20)
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom('e1', 'e2', 'e3'), { minLength: 1 }),
      fc.array(step, { maxLength: 25 }),
      (exercises, steps) => {
        let cells = exercises.map((exercise, i) => cell(`l${i}`, exercise));
        const identity = new Identity(facts(cells), true);
        let copies = 0;
        for (const [kind, from, to] of steps) {
          const at = from % Math.max(1, cells.length);
          const picked = cells[at];
          if (picked && kind === 'copy') {
            cells.splice(to % cells.length, 0, {
              ...picked,
              id: `c${copies++}`
            });
          } else if (picked && kind === 'delete') {
            cells = cells.filter((_one, index) => index !== at);
          } else if (picked) {
            cells.splice(at, 1);
            cells.splice(to % (cells.length + 1), 0, picked);
          }
          const told = all(identity, cells).filter(name => name !== null);
          expect(new Set(told).size).toBe(told.length);
          for (const one of cells.filter(({ id }) => id.startsWith('l'))) {
            expect(told).toContain(one.exercise);
          }
        }
      }
    )
  );
});

it('metadata that is not ours names no exercise', () => {
  for (const ours of [null, 'x', 7, {}, { exercise: '' }, { exercise: 7 }]) {
    expect(exerciseIn(ours)).toBeNull();
  }
  expect(exerciseIn({ exercise: 'mean' })).toBe('mean');
});
