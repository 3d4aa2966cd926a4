/** Puts a cell into a notebook's text, changes one, and takes one out; all else stays byte for byte. */
import { bagOf, type Cell, type Notebook } from './notebook.js';
import { member, type ValuePlace } from './places.js';
import type { SetupCell } from './recognise.js';
import { isSameSource, METADATA_KEY, SETUP_CELL_ID } from './setupCell.js';
import {
  indentOf,
  newlineOf,
  print,
  separatorOf,
  styleOf,
  usesEscapes,
  wholeMember,
  type ObjectStyle,
  type Style
} from './style.js';

/** The text with a setup cell before the cell at `index`. */
export function withCell(
  notebook: Notebook,
  index: number,
  id: string,
  source: string
): string {
  const { text, cells, list } = notebook;
  const places = list.value.items!;
  const ascii = isEscaping(notebook, id + source);
  const neighbour = places[index] ?? places[index - 1];
  if (neighbour === undefined) {
    return withOnlyCell(notebook, id, source, ascii);
  }
  const { style, indent } =
    styleOf(text, neighbour, ascii) ?? styleOfHolder(notebook, ascii);
  const cell = print(newCell(notebook, id, source), style, indent);
  const lead = text.slice(list.value.start + 1, places[0]!.start);
  // As between the two cells before, else between the first two.
  const around = places.slice(
    Math.max(0, Math.min(index, cells.length - 1) - 1)
  );
  const separator = separatorOf(text, around, between(style, lead));
  return index < cells.length
    ? spliced(text, neighbour.start, neighbour.start, cell + separator)
    : spliced(text, neighbour.end, neighbour.end, separator + cell);
}

/**
 * The text with a setup cell in its empty list of cells. What the brackets held before is told by
 * the blanks around the cell, so that it can be taken away again: see `withoutOnlyCell`.
 */
function withOnlyCell(
  notebook: Notebook,
  id: string,
  source: string,
  ascii: boolean
): string {
  const { text, list } = notebook;
  const { style, indent } = styleOfHolder(notebook, ascii);
  const cell = print(newCell(notebook, id, source), style, indent);
  const { start, end } = list.value;
  const blanks = text.slice(start + 1, end - 1);
  const usual = lineOf(notebook);
  const lead = style.newline === null ? '' : style.newline + indent;
  const inside =
    blanks === ''
      ? usual && lead + cell + usual
      : blanks === usual
        ? blanks + cell
        : lead + cell + blanks;
  return spliced(text, start + 1, end - 1, inside || cell);
}

/** What the brackets hold when their only cell is taken away: the inverse of `withOnlyCell`. */
function withoutOnlyCell(notebook: Notebook): string {
  const { text, list } = notebook;
  const { start, end, items } = list.value;
  const before = text.slice(start + 1, items![0]!.start);
  const after = text.slice(items![0]!.end, end - 1);
  const usual = lineOf(notebook);
  return spliced(
    text,
    start + 1,
    end - 1,
    after === '' ? (usual === '' ? '' : before) : after === usual ? '' : after
  );
}

/** The line end and indentation that the list of cells closes with; empty where it has no line of its own. */
function lineOf({ text, holder, list }: Notebook): string {
  const lead = leadOf(text, holder, list.key.start);
  const newline = newlineOf(lead);
  return newline === null ? '' : newline + indentOf(lead);
}

/** Style for cells by the object that holds their list. */
function styleOfHolder(notebook: Notebook, ascii: boolean): ObjectStyle {
  const { text, holder, list } = notebook;
  const { style } = styleOf(text, holder, ascii)!;
  const line = lineOf(notebook);
  return line === ''
    ? { style: { ...style, newline: null, unit: '' }, indent: '' }
    : {
        style,
        indent: indentOf(leadOf(text, holder, list.key.start)) + style.unit
      };
}

/** The blanks before the member of `holder` that begins at `start`. */
function leadOf(text: string, holder: ValuePlace, start: number): string {
  const ends = holder
    .members!.map(({ value }) => value.end)
    .filter(end => end <= start);
  const from = ends.at(-1) ?? holder.start + 1;
  return text.slice(from, start).replace(',', '');
}

/** The text without the cell at `index`: the inverse of `withCell`. */
export function without(notebook: Notebook, index: number): string {
  const { text, list } = notebook;
  const places = list.value.items!;
  const [previous, place, next] = [
    places[index - 1],
    places[index]!,
    places[index + 1]
  ];
  return next !== undefined
    ? spliced(text, place.start, next.start, '')
    : previous !== undefined
      ? spliced(text, previous.end, place.end, '')
      : withoutOnlyCell(notebook);
}

/** The text with the source and the mark of a setup cell replaced, and nothing else of the cell. */
export function withUpdate(
  notebook: Notebook,
  { cell, tagged, id: has }: SetupCell,
  id: string,
  source: string
): string {
  const { text, sourceKey } = notebook;
  const { place, data } = cell;
  const ascii = isEscaping(notebook, id + source);
  const { style, indent } = styleOf(text, place, ascii)!;
  const inner = style.newline === null ? '' : indent + style.unit;
  const tag = {
    ...bagOf(cell.metadata[METADATA_KEY]),
    notebook: id,
    setup: true
  };
  const edits: { start: number; end: number; insert: string }[] = [];
  if (!isSameSource(cell.source, source)) {
    const lines = shapedLike(data[sourceKey], source);
    const insert = print(lines, style, inner);
    edits.push(setMember(text, place, sourceKey, insert, style));
  }
  if (!tagged || has !== id) {
    const metadata = member(place, 'metadata')?.value;
    if (metadata?.members === undefined || metadata.members.length === 0) {
      const insert = print({ [METADATA_KEY]: tag }, style, inner);
      edits.push(setMember(text, place, 'metadata', insert, style));
    } else {
      const insert = print(tag, style, inner && inner + style.unit);
      edits.push(setMember(text, metadata, METADATA_KEY, insert, style));
    }
  }
  return edits
    .sort((a, b) => b.start - a.start)
    .reduce(
      (now, edit) => spliced(now, edit.start, edit.end, edit.insert),
      text
    );
}

/** The edit that gives the member `name` of `object` the value `insert`; a new one comes first. */
function setMember(
  text: string,
  object: ValuePlace,
  name: string,
  insert: string,
  style: Style
): { start: number; end: number; insert: string } {
  const there = member(object, name)?.value;
  if (there !== undefined) {
    return { start: there.start, end: there.end, insert };
  }
  const members = object.members!;
  const start = members[0]!.key.start;
  const lead = text.slice(object.start + 1, start);
  const separator = separatorOf(
    text,
    members.map(wholeMember),
    between(style, lead)
  );
  return {
    start,
    end: start,
    insert: JSON.stringify(name) + style.colon + insert + separator
  };
}

/** The setup cell as this notebook's format has it, its members in the order of the other code cells. */
function newCell(
  { major, minor, cells, sourceKey }: Notebook,
  id: string,
  source: string
): Record<string, unknown> {
  const code = cells.filter(({ type }) => type === 'code');
  const like = code.find(cell => cell.source !== '')?.data[sourceKey];
  const metadata = { [METADATA_KEY]: { notebook: id, setup: true } };
  const lines = shapedLike(like, source);
  const cell: Record<string, unknown> =
    major < 4
      ? {
          cell_type: 'code',
          collapsed: false,
          input: lines,
          language: 'python',
          metadata,
          outputs: []
        }
      : {
          cell_type: 'code',
          execution_count: null,
          ...(minor >= 5 ? { id: freeId(cells) } : {}),
          metadata,
          outputs: [],
          source: lines
        };
  const order = Object.keys(code[0]?.data ?? {}).filter(key => key in cell);
  return order.length === Object.keys(cell).length
    ? Object.fromEntries(order.map(key => [key, cell[key]]))
    : cell;
}

/** A cell id that no other cell has. */
function freeId(cells: readonly Cell[]): string {
  const taken = new Set(cells.map(({ data }) => data['id']));
  let id = SETUP_CELL_ID;
  for (let count = 2; taken.has(id); count += 1) {
    id = `${SETUP_CELL_ID}-${count}`;
  }
  return id;
}

/** `source` as one text where `like` is one, else as lines. */
function shapedLike(like: unknown, source: string): string | string[] {
  return typeof like === 'string' ? source : source.split(/(?<=\n)/);
}

/** Whether what is added is to be escaped as the rest of the file is; looked at only where it matters. */
function isEscaping({ text, major }: Notebook, added: string): boolean {
  // Jupyter's own writer escapes before version 4, and does not from then on.
  return /[^\0-\x7f]/.test(added) && (usesEscapes(text) ?? major < 4);
}

/** What separates two things where the file shows no such pair; `lead` is what stands before the first. */
function between({ newline, comma }: Style, lead: string): string {
  if (newlineOf(lead) !== null) {
    return (newline === null ? ',' : comma) + lead;
  }
  return newline === null ? comma : ', ';
}

function spliced(
  text: string,
  start: number,
  end: number,
  insert: string
): string {
  return text.slice(0, start) + insert + text.slice(end);
}
