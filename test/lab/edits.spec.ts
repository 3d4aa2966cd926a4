/** What is told of edits, on JupyterLab's own shared documents: each thing once, never the text. */
import { jest } from '@jest/globals';
import { YNotebook } from '@jupyter/ydoc';
import { Signal } from '@lumino/signaling';
import fc from 'fast-check';
import { applyUpdate, encodeStateAsUpdate } from 'yjs';
import {
  diffCells,
  EditWatch,
  type CellChange,
  type SharedCells
} from '../../src/lab/edits.js';
import { settle } from './clock.js';
import { untilTheEnd } from './sharedDocs.js';

// The documents' own library warns of itself; a fault of ours is none of its warnings.
const warned = jest.spyOn(console, 'warn').mockImplementation(() => {});
afterEach(() => {
  expect(
    warned.mock.calls.filter(([text]) => String(text).includes('telemetry'))
  ).toEqual([]);
  warned.mockClear();
});
afterAll(() => warned.mockRestore());

type View = Parameters<EditWatch['addView']>[0];

/** A view as far as pastes go. */
class FakeView {
  readonly node = new EventTarget();
  readonly cellsPasted = new Signal<this, object>(this);
  activeCell: { model: { id: string } } | null = null;

  paste(text: string, selector = '.cm-content'): void {
    const event = new Event('paste');
    Object.assign(event, { clipboardData: { getData: () => text } });
    // Dispatched on the node itself: what matters is what lies around the target.
    Object.assign(this.node, {
      closest: (asked: string) => (asked === selector ? this.node : null)
    });
    this.node.dispatchEvent(event);
  }
}

function notebook(ids: readonly string[]) {
  const shared = untilTheEnd(
    YNotebook.create({
      data: {
        cells: ids.map(id => ({
          id,
          cell_type: 'code' as const,
          source: `source of ${id}`,
          metadata: {},
          outputs: [],
          execution_count: null
        })),
        metadata: {}
      }
    })
  );
  shared.clearUndoHistory();
  const told: (CellChange & { chars?: number })[] = [];
  const watch = new EditWatch(
    shared as unknown as SharedCells,
    (change, chars) =>
      told.push({ ...change, ...(chars === null ? {} : { chars }) })
  );
  const view = new FakeView();
  watch.addView(view as unknown as View);
  return { shared, told, watch, view };
}

const code = (source = '', id?: string) => ({
  cell_type: 'code' as const,
  source,
  ...(id ? { id } : {})
});

describe('of the student’s own changes', () => {
  it('added and removed cells are told, each', async () => {
    const { shared, told } = notebook(['a', 'b', 'c']);
    shared.insertCell(1, code());
    shared.transact(() => {
      shared.deleteCell(3);
      shared.deleteCell(0);
    });
    await settle();
    expect(told).toEqual([
      { action: 'added', id: shared.cells[0]!.getId() },
      { action: 'removed', id: 'a' },
      { action: 'removed', id: 'c' }
    ]);
  });

  it('a move is one move of each cell, up, down, as a block, and undone', async () => {
    const { shared, told } = notebook(['a', 'b', 'c', 'd']);
    shared.moveCell(0, 2);
    await settle();
    expect(told.splice(0)).toEqual([{ action: 'moved', id: 'a' }]);
    shared.undo();
    await settle();
    expect(shared.cells.map(cell => cell.getId()).join('')).toBe('abcd');
    expect(told.splice(0)).toEqual([{ action: 'moved', id: 'a' }]);
    shared.moveCells(2, 0, 2);
    await settle();
    expect(told).toEqual([
      { action: 'moved', id: 'c' },
      { action: 'moved', id: 'd' }
    ]);
  });

  it('a change of type, an edit of the text, and outputs are none', async () => {
    const { shared, told } = notebook(['a', 'b']);
    shared.transact(() => {
      shared.deleteCell(0);
      shared.insertCell(0, { cell_type: 'markdown', id: 'a', source: 'x' });
    });
    shared.getCell(1).setSource('y = 2');
    shared.getCell(1).setMetadata('tags', ['x']);
    await settle();
    expect(told).toEqual([]);
  });

  it('an undone deletion is an addition', async () => {
    const { shared, told } = notebook(['a', 'b']);
    shared.deleteCell(1);
    shared.undo();
    await settle();
    expect(told).toEqual([
      { action: 'removed', id: 'b' },
      { action: 'added', id: 'b' }
    ]);
  });

  it('pasted cells are told each with its length, not as added', async () => {
    const { shared, told, view } = notebook(['a']);
    shared.insertCells(1, [code('12345', 'p'), code('', 'q')]);
    view.cellsPasted.emit({ previousInteraction: 'copy', cellCount: 2 });
    await settle();
    expect(told).toEqual([
      { action: 'pasted', id: 'p', chars: 5 },
      { action: 'pasted', id: 'q', chars: 0 }
    ]);
    shared.insertCell(3, code('later'));
    await settle();
    expect(told).toHaveLength(3);
    expect(told[2]).toMatchObject({ action: 'added' });
  });

  it('pasted text is told by its length, if it went into a cell’s editor', async () => {
    const { told, view } = notebook(['a']);
    view.activeCell = { model: { id: 'a' } };
    view.paste('secret');
    view.paste('');
    view.paste('into an output', '.jp-Stdin');
    await settle();
    expect(told).toEqual([{ action: 'pasted', id: 'a', chars: 6 }]);
    expect(JSON.stringify(told)).not.toContain('secret');
  });

  it('what is read again from disk is none', async () => {
    const { shared, told } = notebook(['a', 'b']);
    const json = shared.toJSON();
    shared.fromJSON(json);
    await settle();
    shared.nbformat_minor = 4;
    shared.fromJSON({ ...json, nbformat_minor: 4 });
    await settle();
    expect(shared.cells.map(cell => cell.getId())).not.toContain('a');
    expect(told).toEqual([]);
  });

  it('deleting all cells is told, though a new one takes their place', async () => {
    const { shared, told } = notebook(['a', 'b']);
    shared.transact(() => {
      shared.deleteCell(1);
      shared.deleteCell(0);
      shared.insertCell(0, code('', 'new'));
    });
    await settle();
    expect(told).toEqual([
      { action: 'removed', id: 'a' },
      { action: 'removed', id: 'b' },
      { action: 'added', id: 'new' }
    ]);
  });
});

it('collaborators’ changes are theirs, and are known afterwards', async () => {
  const mine = notebook(['a', 'b', 'c']);
  const theirs = untilTheEnd(new YNotebook());
  applyUpdate(theirs.ydoc, encodeStateAsUpdate(mine.shared.ydoc));
  for (const [from, to] of [
    [mine.shared, theirs],
    [theirs, mine.shared]
  ] as const) {
    from.ydoc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'provider') {
        applyUpdate(to.ydoc, update, 'provider');
      }
    });
  }

  theirs.insertCell(0, code('x', 'theirs'));
  theirs.moveCell(3, 1);
  theirs.deleteCell(2);
  await settle();
  expect(mine.shared.cells.map(cell => cell.getId())).toEqual([
    'theirs',
    'c',
    'b'
  ]);
  expect(mine.told).toEqual([]);
  mine.shared.deleteCell(0);
  await settle();
  expect(mine.told).toEqual([{ action: 'removed', id: 'theirs' }]);
});

it('leaves nothing behind, and tells what was under way', async () => {
  const { shared, told, watch, view } = notebook(['a']);
  shared.insertCell(1, code('', 'b'));
  watch.dispose();
  watch.dispose();
  expect(told).toEqual([{ action: 'added', id: 'b' }]);
  shared.insertCell(1, code());
  view.activeCell = { model: { id: 'a' } };
  view.paste('text');
  view.cellsPasted.emit({});
  await settle();
  expect(told).toHaveLength(1);
});

describe('the difference of two orders', () => {
  const ids = fc.uniqueArray(fc.constantFrom(...'abcdefghij'), {
    maxLength: 10
  });
  /** Without the cells that changes name. */
  const without = (list: readonly string[], changes: readonly CellChange[]) => {
    const gone = new Set(changes.map(({ id }) => id));
    return list.filter(id => !gone.has(id));
  };

  it('explains it, with each cell named once', () => {
    fc.assert(
      fc.property(ids, ids, fc.boolean(), (before, after, tells) => {
        const changes = diffCells(before, after, new Set(tells ? after : []));
        const of = (action: string) =>
          changes.filter(one => one.action === action).map(({ id }) => id);
        expect(of('removed')).toEqual(before.filter(id => !after.includes(id)));
        expect(of('added')).toEqual(after.filter(id => !before.includes(id)));
        for (const id of of('moved')) {
          expect(before.includes(id) && after.includes(id)).toBe(true);
        }
        expect(new Set(changes.map(({ id }) => id)).size).toBe(changes.length);
        // What was left alone kept its order.
        expect(without(before, changes)).toEqual(without(after, changes));
      })
    );
  });

  it('of one moved block names the block', () => {
    fc.assert(
      fc.property(
        ids,
        fc.nat(9),
        fc.nat(9),
        fc.nat(9),
        (before, from, n, to) => {
          const after = [...before];
          const block = after.splice(from, n);
          after.splice(to, 0, ...block);
          const changes = diffCells(before, after, new Set(block));
          const isMoved = before.join() !== after.join();
          expect(changes.map(({ id }) => id)).toEqual(isMoved ? block : []);
        }
      )
    );
  });

  it('holds for any sequence of operations on a shared document', async () => {
    const operation = fc.record({
      kind: fc.constantFrom(
        'insert',
        'delete',
        'move',
        'retype',
        'undo',
        'redo'
      ),
      at: fc.nat(9),
      to: fc.nat(9),
      n: fc.integer({ min: 1, max: 3 })
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 12 }),
        async operations => {
          const { shared, told, watch } = notebook(['a', 'b', 'c', 'd']);
          for (const { kind, at, to, n } of operations) {
            const { length } = shared.cells;
            const before = shared.cells.map(cell => cell.getId());
            shared.undoManager.stopCapturing();
            if (kind === 'undo' || kind === 'redo') {
              shared[kind]();
            } else if (kind === 'insert') {
              shared.insertCells(at % (length + 1), Array(n).fill(code()));
            } else if (length > n) {
              const from = at % (length - n);
              if (kind === 'delete') {
                shared.deleteCellRange(from, from + n);
              } else if (kind === 'move') {
                // JupyterLab moves no block into itself.
                const target = to % length;
                if (target < from || target >= from + n) {
                  shared.moveCells(from, target, n);
                }
              } else {
                const json = shared.getCell(from).toJSON();
                shared.transact(() => {
                  shared.deleteCell(from);
                  shared.insertCell(from, { ...json, cell_type: 'raw' });
                });
              }
            }
            await settle();
            const after = shared.cells.map(cell => cell.getId());
            const changes = told.splice(0);
            expect(without(before, changes)).toEqual(without(after, changes));
            if (kind === 'retype') {
              expect(changes).toEqual([]);
            }
            if (kind === 'move') {
              expect(changes.every(({ action }) => action === 'moved')).toBe(
                true
              );
            }
          }
          watch.dispose();
        }
      ),
      { numRuns: 60 }
    );
  });
});
