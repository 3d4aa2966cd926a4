/** Tells the setup cell from other cells. */
import { bagOf, type Cell } from './notebook.js';
import { readPythonLiteral } from './pythonText.js';
import { METADATA_KEY, TITLE } from './setupCell.js';

/**
 * What a cell with the setup is: `generated` is ours, by its metadata, its first line, or because
 * it does nothing else and says nothing but the id; `own` calls setup_telemetry among code of
 * somebody's own, or with settings of somebody's own.
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
    (call.plain && isQuiet(source.slice(0, call.start)));
  return ours && isQuiet(source.slice(call.end)) ? 'generated' : 'own';
}

/** Whether `code` does nothing but what comes before a setup: comments, the import, pip for this package alone. */
function isQuiet(code: string): boolean {
  return code
    .split(/\r\n|\n|\r/)
    .every(
      line =>
        /^\s*($|#|from\s+\w+\s+import\s+setup_telemetry\s*(#|$)|import\s+\w*telemetry\s*(#|$))/.test(
          line
        ) || isPip(line)
    );
}

/** Whether `line` has pip install this package, whichever version, and nothing else. */
function isPip(line: string): boolean {
  const [, words] =
    /^\s*[!%]\s*pip3?\s+install\s+(.*?)\s*(?:\s#.*)?$/.exec(line) ?? [];
  const wanted = words
    ?.split(/\s+/)
    .filter(word => !/^(-q+|-U|--quiet|--upgrade)$/.test(word));
  return (
    wanted?.length === 1 &&
    /^(["']?)(\w[\w.-]*[-_.])?telemetry([=<>~!][^\s"']*)?\1$/.test(wanted[0]!)
  );
}

interface Call {
  start: number;
  end: number;
  id: string | undefined;
  /** Whether the id is all that it is given. */
  plain: boolean;
}

// As a statement of its own, or with its result kept: not its definition, not in a comment.
const CALL =
  /^[ \t]*(?:[A-Za-z_]\w*[ \t]*=[ \t]*)?(?:[A-Za-z_]\w*\.)*setup_telemetry[ \t]*\(/gm;
const ID =
  /^\s*(?:notebook_id\s*=\s*)?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*(,\s*)?([,)])/;
// What the whole cell is given to, unless it only watches the cell run.
const OTHER_MAGIC = /^\s*%%(?!(?:time|timeit|capture)(?!\S))/;

/** The last call of setup_telemetry in `source`. */
function findCall(source: string): Call | null {
  if (!source.includes('setup_telemetry') || OTHER_MAGIC.test(source)) {
    return null;
  }
  const bare = withoutLongStrings(source);
  const found = [...bare.matchAll(CALL)].at(-1);
  if (found === undefined) {
    return null;
  }
  const open = found.index + found[0].length;
  const [, literal, , closing] = ID.exec(source.slice(open)) ?? [];
  const id = literal === undefined ? undefined : readPythonLiteral(literal);
  return {
    start: found.index,
    end: endOfCall(bare, open),
    id,
    plain: id !== undefined && closing === ')'
  };
}

/** `source` with the same length and lines, and nothing to be found in strings of triple quotes. */
function withoutLongStrings(source: string): string {
  let bare = '';
  let copied = 0;
  // What the present string or comment began with, and where.
  let open = '';
  let start = 0;
  // Not one expression for a whole string: that fails for strings of many megabytes.
  for (const { 0: token, index } of source.matchAll(
    /"""|'''|["'#\r\n]|\\[^]/g
  )) {
    if (open === '') {
      open = /^["'#]/.test(token) ? token : '';
      start = index;
    } else if (open.length === 3) {
      if (token === open) {
        bare += source.slice(copied, start);
        copied = index + 3;
        bare += source.slice(start, copied).replace(/[^\r\n]/g, '0');
        open = '';
      }
    } else if (
      open === '#'
        ? /[\r\n]/.test(token)
        : token.startsWith(open) || /^[\r\n]/.test(token)
    ) {
      open = '';
    }
  }
  return bare + source.slice(copied);
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
