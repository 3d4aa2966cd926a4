/** The grid's head: notebooks, their exercises, and how many passed each. */
import { Fragment } from 'preact';
import { count } from '../model/format.js';
import type { Column } from '../model/view.js';

export function GridHead(props: {
  columns: readonly Column[];
  students: number;
  /** The cell in hand, in words. */
  detail: string | null;
}) {
  const { columns, students, detail } = props;
  const groups = groupsOf(columns);
  return (
    <thead>
      <tr aria-rowindex={1}>
        <th class="corner" scope="col" rowSpan={2}>
          {/* Readers hear it at the cell itself. */}
          <span class="detail" aria-hidden="true">
            {detail}
          </span>
          Student
        </th>
        {groups.map(({ notebook, columns: own }) => (
          <th
            key={notebook}
            class="notebook is-first"
            scope="colgroup"
            colSpan={own.length}
          >
            <span class="name" title={notebook}>
              {notebook}
            </span>
          </th>
        ))}
      </tr>
      <tr aria-rowindex={2}>
        {groups.flatMap(group =>
          group.columns.map((column, i) => (
            <th
              key={column.key}
              class={i === 0 ? 'exercise is-first' : 'exercise'}
              scope="col"
            >
              <span class="exercise-name" title={column.name}>
                <Breakable text={column.name} />
              </span>
            </th>
          ))
        )}
      </tr>
      <tr class="totals" aria-rowindex={3}>
        <th class="corner" scope="row">
          Passed
        </th>
        {groups.flatMap(group =>
          group.columns.map((column, i) => (
            <td key={column.key} class={i === 0 ? 'is-first' : undefined}>
              <Total column={column} students={students} />
            </td>
          ))
        )}
      </tr>
    </thead>
  );
}

/** A name that may break where its words end. */
function Breakable({ text }: { text: string }) {
  return (
    <>
      {text.split(/(?<=[_.-])(?=[^_.-])/).map((part, i) => (
        <Fragment key={i}>
          {i > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </>
  );
}

function Total({ column, students }: { column: Column; students: number }) {
  const width = (n: number): string =>
    `${students === 0 ? 0 : (n / students) * 100}%`;
  return (
    <>
      <span class="total">
        {count(column.passed)}
        <span class="quiet"> of {count(students)}</span>
      </span>
      <span class="bar" aria-hidden="true">
        <span class="bar-passed" style={{ width: width(column.passed) }} />
        <span class="bar-failing" style={{ width: width(column.failing) }} />
      </span>
    </>
  );
}

interface Group {
  notebook: string;
  columns: Column[];
}

/** Neighbours of one notebook together. */
function groupsOf(columns: readonly Column[]): Group[] {
  const groups: Group[] = [];
  for (const column of columns) {
    const last = groups[groups.length - 1];
    if (last?.notebook === column.notebook) {
      last.columns.push(column);
    } else {
      groups.push({ notebook: column.notebook, columns: [column] });
    }
  }
  return groups;
}
