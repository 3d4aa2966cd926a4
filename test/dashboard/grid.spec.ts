/** Which rows are drawn, and where a key leads. */
import fc from 'fast-check';
import {
  MAX_CELLS,
  moved,
  visibleRows
} from '../../src/dashboard/model/grid.js';

const sizes = fc.record({
  count: fc.integer({ min: 0, max: 10_000 }),
  columns: fc.integer({ min: 0, max: 60 }),
  rowHeight: fc.constant(36),
  scrollTop: fc.integer({ min: 0, max: 400_000 }),
  height: fc.integer({ min: 0, max: 2000 })
});

describe('rows', () => {
  it('are all drawn in a class of usual size', () => {
    expect(
      visibleRows({
        count: 200,
        columns: 20,
        rowHeight: 36,
        scrollTop: 5000,
        height: 500
      })
    ).toEqual({ start: 0, end: 200 });
  });

  it('that are in sight are drawn, and few others', () => {
    fc.assert(
      fc.property(sizes, size => {
        const { count, columns, rowHeight, height } = size;
        const scrollTop = Math.min(
          size.scrollTop,
          Math.max(0, count * rowHeight - height)
        );
        const { start, end } = visibleRows({ ...size, scrollTop });
        expect(start).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(count);
        expect(start * rowHeight).toBeLessThanOrEqual(scrollTop);
        expect(end * rowHeight).toBeGreaterThanOrEqual(
          Math.min(count * rowHeight, scrollTop + height)
        );
        if (count * Math.max(1, columns) > MAX_CELLS) {
          expect(end - start).toBeLessThanOrEqual(height / rowHeight + 50);
        }
      })
    );
  });

  it('are never none while there are some, even when a search shrinks the list', () => {
    const { start, end } = visibleRows({
      count: 500,
      columns: 12,
      rowHeight: 36,
      scrollTop: 300_000,
      height: 700
    });
    expect(start).toBeLessThan(end);
  });
});

describe('a key', () => {
  const size = { rows: 10, columns: 4, page: 5 };
  const from = { row: 5, column: 2 };
  const lead = (key: string, ctrlKey = false): unknown =>
    moved(from, { key, ctrlKey }, size);

  it('leads to the neighbour, the page, the end', () => {
    expect(lead('ArrowUp')).toEqual({ row: 4, column: 2 });
    expect(lead('ArrowDown')).toEqual({ row: 6, column: 2 });
    expect(lead('ArrowLeft')).toEqual({ row: 5, column: 1 });
    expect(lead('ArrowRight')).toEqual({ row: 5, column: 3 });
    expect(lead('PageUp')).toEqual({ row: 0, column: 2 });
    expect(lead('PageDown')).toEqual({ row: 9, column: 2 });
    expect(lead('Home')).toEqual({ row: 5, column: 0 });
    expect(lead('End')).toEqual({ row: 5, column: 3 });
    expect(lead('Home', true)).toEqual({ row: 0, column: 0 });
    expect(lead('End', true)).toEqual({ row: 9, column: 3 });
  });

  it('of another kind leads nowhere, so that the browser may have it', () => {
    expect(lead('Tab')).toBeNull();
    expect(lead('a')).toBeNull();
  });

  it('never leaves the grid', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            'ArrowUp',
            'ArrowDown',
            'ArrowLeft',
            'ArrowRight',
            'PageUp',
            'PageDown',
            'Home',
            'End'
          )
        ),
        keys => {
          let place = { row: 0, column: 0 };
          for (const key of keys) {
            place = moved(place, { key }, size) ?? place;
            expect(place.row).toBeGreaterThanOrEqual(0);
            expect(place.row).toBeLessThan(size.rows);
            expect(place.column).toBeGreaterThanOrEqual(0);
            expect(place.column).toBeLessThan(size.columns);
          }
        }
      )
    );
  });
});
