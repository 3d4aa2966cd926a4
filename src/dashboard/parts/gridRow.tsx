/** One student's row; drawn again only when something in it is different. */
import { Component } from 'preact';
import type { GridCell } from '../../api/index.js';
import { cellWords } from '../model/cell.js';
import { count } from '../model/format.js';
import type { Line } from '../model/view.js';
import { Icon } from './icon.js';

interface RowProps {
  line: Line;
  row: number;
  /** Columns by `exerciseKey`; the same array as long as they are the same. */
  keys: readonly string[];
  active: boolean;
  /** Column of the tab stop; -1 where it is in another row. */
  stop: number;
}

export class GridRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    return (
      now.line !== next.line ||
      now.row !== next.row ||
      now.keys !== next.keys ||
      now.active !== next.active ||
      now.stop !== next.stop
    );
  }

  override render({ line, row, keys, active, stop }: RowProps) {
    return (
      <tr aria-rowindex={row + 4}>
        <th scope="row" class="student">
          <span class="student-line">
            <span class={active ? 'active-dot' : 'active-dot is-away'} />
            <span class="name" title={line.student}>
              {line.student}
            </span>
            {active && <span class="for-readers">, active now</span>}
            <span class="student-total" aria-hidden="true">
              {count(line.passed)}/{count(keys.length)}
            </span>
          </span>
        </th>
        {keys.map((key, column) => (
          <td
            key={key}
            data-row={row}
            data-column={column}
            tabIndex={column === stop ? 0 : -1}
          >
            <Mark cell={line.cells.get(key)} fresh={line.fresh.has(key)} />
          </td>
        ))}
      </tr>
    );
  }
}

function Mark({ cell, fresh }: { cell: GridCell | undefined; fresh: boolean }) {
  if (!cell) {
    return (
      <span class="mark mark-none">
        <span class="for-readers">{cellWords(cell)}</span>
      </span>
    );
  }
  return (
    <span class={`mark mark-${cell.state}${fresh ? ' is-fresh' : ''}`}>
      <Icon name={cell.state} />
      <span class="mark-tries" aria-hidden="true">
        {count(cell.attempts)}
        <span class="mark-word"> {cell.attempts === 1 ? 'try' : 'tries'}</span>
      </span>
      <span class="for-readers">{cellWords(cell)}</span>
    </span>
  );
}
