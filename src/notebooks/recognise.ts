/** Tells the setup cell from other cells. */
import { bagOf, type Cell } from './notebook.js';
import { readPythonLiteral } from './pythonText.js';
import { METADATA_KEY, TITLE } from './setupCell.js';

/**
 * What a cell with the setup is: `generated` is ours, by its metadata, its first line, or because
 * it does nothing else; `own` calls setup_telemetry among code of somebody's own.
 */
export type SetupKind = 'generated' | 'own';

/** A setup cell. */
export interface SetupCell {
  /** Position among the cells, from 0. */
  index: number;
  cell: Cell;
  kind: SetupKind;
  /** Whether its metadata says what it is. */
  tagged: boolean;
  /** The notebook id in its metadata, else in its source. */
  id: string | undefined;
}

/** The setup cells among `cells`, in their order. */
export function findSetupCells(cells: readonly Cell[]): SetupCell[] {
  return cells.flatMap((cell, index) => {
    if (cell.type !== 'code') {
      return [];
    }
    const tag = bagOf(cell.metadata[METADATA_KEY]);
    const tagged = tag['setup'] === true;
    const call = findCall(cell.source);
    if (!tagged && call === null) {
      return [];
    }
    const id =
      tagged && typeof tag['notebook'] === 'string'
        ? tag['notebook']
        : call?.id;
    return [
      { index, cell, kind: kindOf(cell.source, call, tagged), tagged, id }
    ];
  });
}

function kindOf(source: string, call: Call | null, tagged: boolean): SetupKind {
  if (call === null) {
    return isQuiet(source) ? 'generated' : 'own';
  }
  const ours =
    tagged ||
    source.trimStart().startsWith(TITLE) ||
    isQuiet(source.slice(0, call.start));
  return ours && isQuiet(source.slice(call.end)) ? 'generated' : 'own';
}

/** Whether `code` does nothing but what comes before a setup: comments, the import, pip. */
function isQuiet(code: string): boolean {
  return code
    .split(/\r\n|\n|\r/)
    .every(line =>
      /^\s*($|#|from\s+\w+\s+import\s+setup_telemetry\s*(#|$)|import\s+\w*telemetry\s*(#|$)|[!%]\s*pip\s)/.test(
        line
      )
    );
}

interface Call {
  start: number;
  end: number;
  id: string | undefined;
}

// As a statement of its own, or with its result kept: not its definition, not in a comment.
const CALL =
  /^[ \t]*(?:[A-Za-z_]\w*[ \t]*=[ \t]*)?(?:[A-Za-z_]\w*\.)*setup_telemetry[ \t]*\(/gm;
const ID =
  /^\s*(?:notebook_id\s*=\s*)?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*[,)]/;

/** The last call of setup_telemetry in `source`. */
function findCall(source: string): Call | null {
  const found = [...source.matchAll(CALL)].at(-1);
  if (found === undefined) {
    return null;
  }
  const open = found.index + found[0].length;
  const literal = ID.exec(source.slice(open))?.[1];
  return {
    start: found.index,
    end: endOfCall(source, open),
    id: literal === undefined ? undefined : readPythonLiteral(literal)
  };
}

/** Where the parenthesis that was opened before `pos` is closed; the end of the source if nowhere. */
function endOfCall(source: string, pos: number): number {
  const token = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#.*|[()]/g;
  token.lastIndex = pos;
  let depth = 1;
  while (depth > 0) {
    const found = token.exec(source);
    if (found === null) {
      return source.length;
    }
    depth += found[0] === '(' ? 1 : found[0] === ')' ? -1 : 0;
  }
  return token.lastIndex;
}
