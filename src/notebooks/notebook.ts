/** Reads a notebook's text: what it says, and where in the text it says so. */
import {
  member,
  outline,
  type MemberPlace,
  type ValuePlace
} from './places.js';
import { refuse, refuseBroken, type Refusal } from './refusal.js';

/** Data of unknown shape, as JSON has it. */
export type Bag = Readonly<Record<string, unknown>>;

/** One cell. */
export interface Cell {
  place: ValuePlace;
  data: Bag;
  type: string;
  /** Its source as one text. */
  source: string;
  metadata: Bag;
}

/** A notebook that can be worked on. */
export interface Notebook {
  text: string;
  /** Version of the notebook format: `major.minor`. */
  major: number;
  minor: number;
  metadata: Bag;
  /** The object that holds the cells: the notebook, or its first worksheet before version 4. */
  holder: ValuePlace;
  /** The member `cells` of the holder. */
  list: MemberPlace;
  cells: readonly Cell[];
  /** Name of a code cell's source: `source`, or `input` before version 4. */
  sourceKey: 'source' | 'input';
}

/** A notebook, or why there is none. */
export type Reading = { ok: true; notebook: Notebook } | Refusal;

const BOM = '\ufeff';

/** Reads `text`. Never throws. */
export function readNotebook(text: string): Reading {
  const start = text.startsWith(BOM) ? 1 : 0;
  let data: unknown;
  try {
    data = JSON.parse(start === 0 ? text : text.slice(start));
  } catch {
    return refuseBroken(text, start);
  }
  if (!isBag(data)) {
    return refuse(
      'not-a-notebook',
      'expected a notebook, which is a JSON object'
    );
  }
  const { nbformat: major, nbformat_minor: minor = 0 } = data;
  if (!isWhole(major) || !isWhole(minor)) {
    return refuse(
      'not-a-notebook',
      'expected a notebook, whose `nbformat` is a whole number'
    );
  }
  if (major < 2 || major > 4) {
    return refuse(
      'unsupported-format',
      `notebook format ${major}.${minor}: 2 to 4 are known here`
    );
  }
  const root = outline(text, start);
  let [holder, holderData] = [root, data];
  if (major < 4) {
    const sheets = member(root, 'worksheets')?.value.items;
    const first = (data['worksheets'] as unknown[] | undefined)?.[0];
    if (sheets?.[0]?.members === undefined || !isBag(first)) {
      return refuse(
        'not-a-notebook',
        `expected a worksheet, as notebook format ${major} has them`
      );
    }
    [holder, holderData] = [sheets[0], first];
  }
  const list = member(holder, 'cells');
  const cells = holderData['cells'];
  if (list?.value.items === undefined || !Array.isArray(cells)) {
    return refuse('not-a-notebook', 'expected a notebook, which has `cells`');
  }
  const odd = cells.findIndex(cell => !isBag(cell));
  if (odd >= 0) {
    return refuse('not-a-notebook', 'expected a cell, which is an object', {
      text,
      offset: list.value.items[odd]!.start
    });
  }
  const sourceKey = major < 4 ? 'input' : 'source';
  return {
    ok: true,
    notebook: {
      text,
      major,
      minor,
      metadata: bagOf(data['metadata']),
      holder,
      list,
      cells: list.value.items.map((place, index) => {
        const cell = cells[index] as Bag;
        const type = textOf(cell['cell_type']);
        return {
          place,
          data: cell,
          type,
          source: joined(cell[type === 'code' ? sourceKey : 'source']),
          metadata: bagOf(cell['metadata'])
        };
      }),
      sourceKey
    }
  };
}

/** A source as one text: the format allows a string and a list of lines. */
function joined(source: unknown): string {
  return Array.isArray(source) ? source.map(textOf).join('') : textOf(source);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `value` if it is an object, else an empty one. */
export function bagOf(value: unknown): Bag {
  return isBag(value) ? value : {};
}

function isBag(value: unknown): value is Bag {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}
