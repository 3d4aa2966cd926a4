/** Notebooks, and ways to write them down: what the tests of the instrumenter are made of. */
import fc from 'fast-check';

/** Any JSON. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** One way to write JSON, the same everywhere in a file. */
export interface Printer {
  /** What a level is indented by; null for everything on one line. */
  indent: string | null;
  newline: string;
  comma: string;
  colon: string;
  /** Characters beyond ASCII as escapes. */
  ascii: boolean;
  /** Byte order mark. */
  bom: boolean;
  /** After the last brace. */
  end: string;
}

/** Writes `value` down. */
export function write(value: Json, printer: Printer): string {
  const { indent, newline, comma, colon, ascii } = printer;
  const text = (each: string): string => {
    const json = JSON.stringify(each);
    return ascii
      ? json.replace(
          /[\x80-\uffff]/g,
          unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
        )
      : json;
  };
  const node = (each: Json, level: number): string => {
    if (typeof each === 'string') {
      return text(each);
    }
    if (typeof each !== 'object' || each === null) {
      return JSON.stringify(each);
    }
    const parts = Array.isArray(each)
      ? each.map((item: Json) => node(item, level + 1))
      : Object.entries(each).map(
          ([name, item]) => text(name) + colon + node(item as Json, level + 1)
        );
    const [open, close] = Array.isArray(each) ? '[]' : '{}';
    if (parts.length === 0) {
      return open! + close!;
    }
    if (indent === null) {
      return open + parts.join(comma) + close;
    }
    const line = newline + indent.repeat(level + 1);
    return (
      open +
      line +
      parts.join(comma + line) +
      newline +
      indent.repeat(level) +
      close
    );
  };
  return (printer.bom ? '\ufeff' : '') + node(value, 0) + printer.end;
}

const newlines = fc.constantFrom('\n', '\r\n', '\r');
const common = {
  newline: newlines,
  ascii: fc.boolean(),
  bom: fc.boolean(),
  end: fc.constantFrom('', '\n', '\r\n', ' \n\n')
};

/** The printers in use: Python's and JavaScript's, with their settings. */
export const printers: fc.Arbitrary<Printer> = fc.oneof(
  fc.record<Printer>({
    ...common,
    indent: fc.constantFrom(' ', '  ', '    ', '\t', '   ', ''),
    // Python 2 leaves a blank at the end of each line.
    comma: fc.constantFrom(',', ', '),
    colon: fc.constantFrom(': ', ':', ' : ')
  }),
  fc.record<Printer>({
    ...common,
    indent: fc.constant(null),
    comma: fc.constantFrom(', ', ','),
    colon: fc.constantFrom(': ', ':')
  })
);

/** Writes `value` with blanks and escapes wherever and however JSON allows, as `random` says. */
export function scribble(value: Json, random: () => number): string {
  const one = <T>(...choices: T[]): T =>
    choices[Math.floor(random() * choices.length)]!;
  const blanks = (): string =>
    one('', '', ' ', '\n', '  ', '\t', '\r\n', '\n\n    ', '\r');
  const text = (each: string): string =>
    `"${each.replace(/[\s\S]/g, unit => {
      const escape = `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
      const must = /["\\\0-\x1f\ud800-\udfff]/.test(unit);
      if (unit === '/') {
        return one('/', '\\/', escape);
      }
      if (must) {
        const plain = JSON.stringify(unit).slice(1, -1);
        return one(plain, escape.toUpperCase().replace('U', 'u'));
      }
      return random() < 0.1 ? escape : unit;
    })}"`;
  const node = (each: Json): string => {
    if (typeof each === 'string') {
      return text(each);
    }
    if (typeof each === 'number') {
      return Number.isInteger(each)
        ? one(String(each), `${each}.0`, `${each}e0`)
        : String(each);
    }
    if (typeof each !== 'object' || each === null) {
      return String(each);
    }
    const list = Array.isArray(each);
    const parts = list
      ? each.map((item: Json) => node(item))
      : Object.entries(each).map(
          ([name, item]) =>
            `${text(name)}${blanks()}:${blanks()}${node(item as Json)}`
        );
    const inside = parts.map(part => blanks() + part + blanks()).join(',');
    return (list ? '[' : '{') + (inside || blanks()) + (list ? ']' : '}');
  };
  return one('', '\ufeff') + blanks() + node(value) + blanks();
}

/** The same object with its members in any order. */
const shuffled = <T extends object>(made: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc
    .tuple(made, fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }))
    .map(([value, keys]) => {
      const entries = Object.entries(value).map(
        (entry, index) => [keys[index]!, entry] as const
      );
      entries.sort(([a], [b]) => a - b);
      return Object.fromEntries(entries.map(([, entry]) => entry)) as T;
    });

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom(
    'print("é")\n',
    '\\',
    '"cells": [',
    '}],',
    '\ud800',
    '</script>',
    '\u2028',
    '# Title',
    '---\ntitle: x\n---',
    '%%html\n<b>"x"</b>'
  )
);
const source = fc.oneof(text, fc.array(text, { maxLength: 4 }));
const anything = fc
  .jsonValue({ maxDepth: 3 })
  .map(value => value as Json)
  // Negative zero and exponents are numbers that a printer may write in another way.
  .filter(value => !/-0|e[+-]/.test(JSON.stringify(value)));
const metadata = fc.dictionary(
  fc.constantFrom('tags', 'collapsed', 'id', 'é', 'cells', 'metadata', 'x'),
  anything,
  { maxKeys: 3 }
);

const outputs = fc.array(
  fc.record({
    output_type: fc.constant('display_data'),
    data: fc.record({ 'text/plain': source, 'image/png': text }),
    metadata
  }),
  { maxLength: 2 }
);

const cell4 = (ids: boolean): fc.Arbitrary<Json> =>
  fc.oneof(
    shuffled(
      fc.record({
        cell_type: fc.constant('code'),
        execution_count: fc.constantFrom(null, 3),
        ...(ids
          ? { id: fc.constantFrom('a', 'b', 'ipynb-telemetry-setup') }
          : {}),
        metadata,
        outputs,
        source
      })
    ),
    shuffled(
      fc.record({
        cell_type: fc.constantFrom('markdown', 'raw'),
        ...(ids ? { id: fc.constantFrom('c', 'd') } : {}),
        metadata,
        source
      })
    )
  );

const cell3: fc.Arbitrary<Json> = fc.oneof(
  shuffled(
    fc.record({
      cell_type: fc.constant('code'),
      collapsed: fc.boolean(),
      input: source,
      language: fc.constant('python'),
      metadata,
      outputs: fc.constant([])
    })
  ),
  shuffled(
    fc.record({
      cell_type: fc.constantFrom('markdown', 'raw'),
      metadata,
      source
    })
  ),
  fc.record({
    cell_type: fc.constant('heading'),
    level: fc.constantFrom(1, 2),
    metadata,
    source
  })
);

const pythonMetadata = fc.constantFrom<Json>(
  { kernelspec: { name: 'python3', language: 'python' } },
  { language_info: { name: 'python' }, é: 1 },
  { kernelspec: { name: 'python3' }, widgets: { cells: [] } }
);

/** Notebooks of every format that is known, in Python, without a setup cell. */
export const notebooks: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(0, 2, 4, 5, 6).chain(minor =>
    shuffled(
      fc.record({
        cells: fc.array(cell4(minor >= 5), { maxLength: 5 }),
        metadata: pythonMetadata,
        nbformat: fc.constant(4),
        nbformat_minor: fc.constant(minor)
      })
    )
  ),
  shuffled(
    fc.record({
      metadata: pythonMetadata,
      nbformat: fc.constantFrom(2, 3),
      nbformat_minor: fc.constant(0),
      worksheets: shuffled(
        fc.record({ cells: fc.array(cell3, { maxLength: 4 }), metadata })
      ).map(sheet => [sheet] as Json)
    })
  )
);
