/** The class at a glance: a row for each student, a column for each exercise. */
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState
} from 'preact/hooks';
import { cellDetail } from '../model/cell.js';
import { count, counted } from '../model/format.js';
import { moved, visibleRows, type Place } from '../model/grid.js';
import { isActive, matching, type ClassView } from '../model/view.js';
import { GridHead } from './gridHead.js';
import { GridRow } from './gridRow.js';
import { Icon } from './icon.js';
import { usePrinting, useScroll, useStable } from './gridHooks.js';

/** Height of a row in px; the windowing counts on it. */
export const ROW_HEIGHT = 36;
/** Columns drawn at most: beyond them a grid is no longer looked at, and made by accident. */
const MAX_COLUMNS = 120;
/** Students from which on a name is worth searching for. */
const SEARCH_FROM = 20;

/** `at` is the relay's clock, in ms. */
export function Grid({ view, at }: { view: ClassView; at: number }) {
  const [search, setSearch] = useState('');
  const [place, setPlace] = useState<Place>({ row: 0, column: 0 });
  const [inHand, setInHand] = useState<Place | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const moving = useRef(false);
  const printing = usePrinting();

  const names = useMemo(
    () => matching(view.names, search),
    [view.names, search]
  );
  const columns = view.columns.slice(0, MAX_COLUMNS);
  const keys = useStable(columns.map(column => column.key));
  const { scrollTop, height, fits } = useScroll(scroller, ROW_HEIGHT);
  const rows = printing
    ? { start: 0, end: names.length }
    : visibleRows({
        count: names.length,
        columns: columns.length,
        rowHeight: ROW_HEIGHT,
        scrollTop,
        height
      });

  const whole = rows.end - rows.start === names.length;

  // The tab stop is always on a row that is drawn.
  const stop: Place = {
    row: Math.max(rows.start, Math.min(place.row, rows.end - 1)),
    column: Math.max(0, Math.min(place.column, columns.length - 1))
  };

  useLayoutEffect(() => {
    if (!moving.current || !scroller.current) {
      return;
    }
    const cell = scroller.current.querySelector<HTMLElement>(
      `[data-row="${place.row}"][data-column="${place.column}"]`
    );
    if (cell) {
      moving.current = false;
      cell.focus();
    } else {
      // Not drawn yet: scrolling there draws it, and brings us back here.
      scroller.current.scrollTop = place.row * ROW_HEIGHT - height / 2;
    }
  });

  // A filter may leave nothing to look at where the pointer was.
  useEffect(() => setInHand(null), [names]);

  function onKeyDown(event: KeyboardEvent): void {
    const from = placeOf(event.target);
    const next =
      from &&
      moved(from, event, {
        rows: names.length,
        columns: columns.length,
        page: Math.max(1, Math.floor(height / ROW_HEIGHT) - 4)
      });
    if (next) {
      event.preventDefault();
      moving.current = true;
      setPlace({ ...next });
    }
  }

  const line = inHand ? view.lines.get(names[inHand.row] ?? '') : undefined;
  const column = inHand ? columns[inHand.column] : undefined;
  const detail =
    line && column ? cellDetail(line.cells.get(column.key), at) : null;
  const hidden = view.columns.length - columns.length;

  return (
    <section class="card" aria-labelledby="grid-title">
      <div class="card-head">
        <h2 id="grid-title">Students and exercises</h2>
        <Legend />
        {view.names.length > SEARCH_FROM && (
          <label class="field search">
            <span class="for-readers">Find a student</span>
            <input
              type="search"
              placeholder="Find a student"
              value={search}
              onInput={event => setSearch(event.currentTarget.value)}
            />
          </label>
        )}
      </div>
      {columns.length === 0 && (
        <p class="quiet none">
          {counted(view.names.length, 'student')} here, no test has run yet.
          Columns appear with the first result of each exercise.
        </p>
      )}
      {hidden > 0 && (
        <p class="quiet none">
          The first {MAX_COLUMNS} exercises are shown, {count(hidden)} are not.
        </p>
      )}
      <div
        class={`scroll scroll-both ${fits && whole ? 'is-whole' : ''}`}
        ref={scroller}
        role="region"
        aria-labelledby="grid-title"
        tabIndex={columns.length === 0 ? 0 : -1}
      >
        <table
          class={`grid ${columns.length > 10 ? 'is-dense' : ''}`}
          style={{
            '--row-height': `${ROW_HEIGHT}px`,
            '--columns': columns.length
          }}
          aria-labelledby="grid-title"
          aria-rowcount={names.length + 3}
          onKeyDown={onKeyDown}
          onFocusIn={event => {
            const at = placeOf(event.target);
            setInHand(at);
            if (at) {
              setPlace(at);
            }
          }}
          onFocusOut={() => setInHand(null)}
          onMouseOver={event => setInHand(placeOf(event.target))}
          onMouseLeave={() => setInHand(placeOf(document.activeElement))}
        >
          <colgroup>
            <col class="student-column" />
            <col span={Math.max(1, columns.length)} />
          </colgroup>
          <GridHead
            columns={columns}
            students={view.names.length}
            detail={detail}
          />
          <tbody>
            <Gap rows={rows.start} columns={columns.length} />
            {names.slice(rows.start, rows.end).map((name, i) => {
              const line = view.lines.get(name);
              const row = rows.start + i;
              return (
                line && (
                  <GridRow
                    key={name}
                    line={line}
                    row={row}
                    keys={keys}
                    active={isActive(line, at)}
                    stop={stop.row === row ? stop.column : -1}
                  />
                )
              );
            })}
            <Gap rows={names.length - rows.end} columns={columns.length} />
          </tbody>
        </table>
        {names.length === 0 && (
          <p class="quiet none">No student of that name.</p>
        )}
      </div>
    </section>
  );
}

/** What the signs mean. */
function Legend() {
  return (
    <ul class="legend" aria-label="Signs">
      <li>
        <span class="mark mark-passed">
          <Icon name="passed" />
        </span>
        passed
      </li>
      <li>
        <span class="mark mark-failing">
          <Icon name="failing" />
        </span>
        not passed yet
      </li>
      <li>
        <span class="mark mark-none" />
        no result yet
      </li>
      <li>
        <span class="active-dot" />
        active now
      </li>
    </ul>
  );
}

/** Stands for the rows that are not drawn. */
function Gap({ rows, columns }: { rows: number; columns: number }) {
  return rows > 0 ? (
    <tr class="gap" aria-hidden="true">
      <td colSpan={columns + 1} style={{ height: `${rows * ROW_HEIGHT}px` }} />
    </tr>
  ) : null;
}

/** The cell of the grid that an event happened in. */
function placeOf(target: EventTarget | null): Place | null {
  const cell =
    target instanceof Element
      ? target.closest<HTMLElement>('td[data-row]')
      : null;
  return cell
    ? {
        row: Number(cell.dataset['row']),
        column: Number(cell.dataset['column'])
      }
    : null;
}
