/** Whatever a file looks like: only the setup cell comes and goes, and everything else stays byte for byte. */
import fc from 'fast-check';
import {
  checkSetupCell,
  insertSetupCell,
  removeSetupCell,
  setupCellSource,
  updateSetupCell,
  type Edited,
  type Refusal
} from '../../src/notebooks/index.js';
import { mulberry32 } from '../support/random.js';
import { notebooks, printers, scribble, write, type Json } from './printers.js';

const RUNS = process.env['LONG'] ? 5000 : 300;
const TIMEOUT_MS = 300_000;
const ids = fc.oneof(
  fc.constantFrom('intro', 'é"\\', '{}%"""'),
  fc.string({ unit: 'binary', maxLength: 8 })
);

/** A notebook in a hand that is nobody's. */
const scribbled = fc
  .tuple(notebooks, fc.nat())
  .map(([notebook, seed]) => scribble(notebook, mulberry32(seed)));
const printed = fc.tuple(notebooks, printers);
const texts = fc.oneof(
  scribbled,
  printed.map(([notebook, printer]) => write(notebook, printer))
);

function done(result: Edited | Refusal): Edited {
  expect(result).toMatchObject({ ok: true });
  return result as Edited;
}

const plain = (text: string): Json =>
  JSON.parse(text.replace(/^\ufeff/, '')) as Json;

function cellsOf(notebook: Json): readonly Json[] {
  const bag = notebook as Record<string, Json>;
  const [sheet] = (bag['worksheets'] ?? [bag]) as Record<string, Json>[];
  return sheet!['cells'] as Json[];
}

describe('insert and remove', () => {
  it(
    'give back every byte',
    () => {
      fc.assert(
        fc.property(texts, ids, (text, id) => {
          const inserted = done(insertSetupCell(text, { id }));
          expect(inserted).toMatchObject({ changed: true, state: 'ok', id });
          const removed = done(removeSetupCell(inserted.text));
          expect(removed.text).toBe(text);
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );

  it(
    'add one piece of text, and one cell',
    () => {
      fc.assert(
        fc.property(texts, ids, (text, id) => {
          const { text: next, cell } = done(insertSetupCell(text, { id }));
          const before = cellsOf(plain(text));
          const after = [...cellsOf(plain(next))];
          const [added] = after.splice(cell! - 1, 1);
          expect(after).toEqual(before);
          const { source = '', input = source } = added as Record<string, Json>;
          expect([input].flat().join('')).toBe(setupCellSource(id));
          let same = 0;
          while (text[same] === next[same] && same < text.length) {
            same += 1;
          }
          expect(next.endsWith(text.slice(same))).toBe(true);
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );

  it(
    'twice are once',
    () => {
      fc.assert(
        fc.property(texts, ids, ids, (text, id, other) => {
          const once = done(insertSetupCell(text, { id })).text;
          for (const again of [{ id }, {}, { id: other }]) {
            const result = done(insertSetupCell(once, again));
            expect([result.text, result.changed]).toEqual([once, false]);
          }
          const none = done(removeSetupCell(text));
          expect([none.text, none.changed]).toEqual([text, false]);
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );

  it(
    'write as the rest of the file is written',
    () => {
      fc.assert(
        fc.property(printed, ids, ([notebook, printer], id) => {
          const text = write(notebook, printer);
          const next = done(insertSetupCell(text, { id })).text;
          // A file without a character beyond ASCII does not show how it would write one.
          const shows = /[^\0-\x7f]/.test(
            write(notebook, { ...printer, ascii: false, bom: false })
          );
          const old = 'worksheets' in (notebook as object);
          const ascii = shows ? printer.ascii : old;
          expect(next).toBe(write(plain(next), { ...printer, ascii }));
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );
});

describe('update', () => {
  it(
    'gives another id in place, and back',
    () => {
      fc.assert(
        fc.property(texts, ids, ids, (text, id, other) => {
          const one = done(insertSetupCell(text, { id }));
          const two = done(updateSetupCell(one.text, { id: other }));
          expect(two).toMatchObject({ state: 'ok', id: other, cell: one.cell });
          expect(two.changed).toBe(id !== other);
          expect(checkSetupCell(two.text)).toMatchObject({
            state: 'ok',
            id: other
          });
          expect(done(updateSetupCell(two.text, { id })).text).toBe(one.text);
          expect(done(removeSetupCell(two.text)).text).toBe(text);
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );

  it(
    'marks and renews the cell of an older version, and nothing else',
    () => {
      fc.assert(
        fc.property(notebooks, printers, (notebook, printer) => {
          const old: Json = {
            cell_type: 'code',
            execution_count: 7,
            metadata: {},
            outputs: [{ output_type: 'stream', name: 'stdout', text: 'Hi' }],
            source: [
              '#@title Enter Your Name (REQUIRED)\n',
              'from ipynb_telemetry import setup_telemetry\n',
              '_telemetry = setup_telemetry("old")'
            ]
          };
          const bag = notebook as Record<string, Json>;
          fc.pre(bag['nbformat'] === 4);
          const text = write(
            { ...bag, cells: [...(bag['cells'] as Json[]), old] },
            printer
          );
          const next = done(updateSetupCell(text));
          const before = cellsOf(plain(text));
          const after = cellsOf(plain(next.text));
          expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
          expect(after.at(-1)).toEqual({
            ...old,
            metadata: { ipynb_telemetry: { notebook: 'old', setup: true } },
            source: setupCellSource('old').split(/(?<=\n)/)
          });
          expect(['ok', 'misplaced']).toContain(next.state);
        }),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );
});

describe('broken files', () => {
  it(
    'are refused with a reason, and nothing is ever thrown',
    () => {
      const broken = fc.tuple(
        texts,
        fc.nat(),
        fc.nat(),
        fc.constantFrom(
          '',
          '"',
          '{',
          ']',
          ',',
          '\\',
          '\u0000',
          '\ud800',
          'NaN',
          '/* x */',
          '\u00a0',
          '[['
        )
      );
      fc.assert(
        fc.property(broken, ([text, at, length, instead]) => {
          const from = at % (text.length + 1);
          const damaged =
            text.slice(0, from) + instead + text.slice(from + (length % 5));
          for (const edit of [insertSetupCell, updateSetupCell]) {
            const result = edit(damaged, { id: 'x', language: 'python' });
            if (!result.ok) {
              expect(result.reason).toMatch(/^[^\n]+$/);
              expect((result.line ?? 1) * (result.column ?? 1)).toBeGreaterThan(
                0
              );
            } else {
              expect(plain(result.text)).toBeDefined();
            }
          }
          let valid = true;
          try {
            plain(damaged);
          } catch {
            valid = false;
          }
          if (!valid) {
            expect(insertSetupCell(damaged, { id: 'x' })).toMatchObject({
              ok: false,
              code: 'not-json'
            });
          }
        }),
        { numRuns: RUNS * 2 }
      );
    },
    TIMEOUT_MS
  );

  it(
    'and so is any other JSON',
    () => {
      fc.assert(
        fc.property(
          fc.json(),
          fc.constantFrom('cells', 'nbformat', 'metadata', 'worksheets'),
          fc.jsonValue(),
          (json, key, value) => {
            const bag = JSON.parse(json) as unknown;
            const odd = {
              nbformat: 4,
              cells: [{ cell_type: 'code' }],
              ...(bag as object),
              [key]: value
            };
            for (const text of [json, JSON.stringify(odd)]) {
              for (const edit of [
                insertSetupCell,
                updateSetupCell,
                checkSetupCell
              ]) {
                expect(typeof edit(text, { id: 'x' }).ok).toBe('boolean');
              }
              expect(typeof removeSetupCell(text).ok).toBe('boolean');
            }
          }
        ),
        { numRuns: RUNS }
      );
    },
    TIMEOUT_MS
  );
});
