/** What becomes of a notebook: where the cell goes, what it looks like there, and what is left alone. */
import {
  checkSetupCell,
  insertSetupCell,
  removeSetupCell,
  setupCellSource,
  updateSetupCell,
  type Edited,
  type Refusal,
  type SetupOptions
} from '../../src/notebooks/index.js';
import { code, jupyter, notebookOf, ODD_SPELLINGS, prose } from './examples.js';

type Cell = Record<string, unknown>;

function done(result: Edited | Refusal): Edited {
  expect(result).toMatchObject({ ok: true });
  return result as Edited;
}

function cellsOf(text: string): Cell[] {
  const notebook = JSON.parse(text.replace(/^\ufeff/, '')) as {
    cells: Cell[];
    worksheets?: { cells: Cell[] }[];
  };
  return notebook.worksheets?.[0]?.cells ?? notebook.cells;
}

const sourceOf = (cell: Cell): string =>
  [cell['source'] ?? cell['input']].flat().join('');

/** Where the setup cell is put among `cells`, from 0. */
function placeAmong(...cells: object[]): number {
  const result = done(insertSetupCell(jupyter(notebookOf(cells)), { id: 'x' }));
  expect(result.state).toBe('ok');
  return result.cell! - 1;
}

describe('the file', () => {
  it.each(ODD_SPELLINGS)('comes back from %s', (_what, text) => {
    const inserted = done(insertSetupCell(text, { id: 'é' }));
    expect(inserted.state).toBe('ok');
    const added = cellsOf(inserted.text)[inserted.cell! - 1]!;
    expect(sourceOf(added)).toBe(setupCellSource('é'));
    expect(done(insertSetupCell(inserted.text)).text).toBe(inserted.text);
    const other = done(updateSetupCell(inserted.text, { id: 'other' }));
    expect(checkSetupCell(other.text)).toMatchObject({
      state: 'ok',
      id: 'other'
    });
    expect(done(removeSetupCell(other.text)).text).toBe(text);
    expect(done(removeSetupCell(inserted.text)).text).toBe(text);
  });

  it('is written on as it is written', () => {
    const [, colab] = ODD_SPELLINGS.find(([name]) => name === 'Colab')!;
    const { text, cell } = done(insertSetupCell(colab, { id: 'x' }));
    expect(cell).toBe(2);
    expect(text).toBe(
      JSON.stringify(JSON.parse(text), null, 2).replace(
        '"colab": {\n      "provenance": []\n    }',
        '"colab": {"provenance": []}'
      )
    );
    // In the order in which Colab writes a cell's members, without an id.
    expect(Object.keys(cellsOf(text)[1]!)).toEqual([
      'cell_type',
      'source',
      'metadata',
      'execution_count',
      'outputs'
    ]);
    const [, kaggle] = ODD_SPELLINGS.find(([name]) => name === 'Kaggle')!;
    const one = done(insertSetupCell(kaggle, { id: 'x' })).text;
    expect(one).toBe(JSON.stringify(JSON.parse(one)));
    expect(cellsOf(one)[0]!['source']).toBe(setupCellSource('x'));
  });

  it('keeps escapes where it has escapes, and characters where it has characters', () => {
    const nb = (title: string): string =>
      jupyter(notebookOf([prose(title), code('x = None')]));
    const insert = (text: string): string =>
      done(insertSetupCell(text, { id: 'é😀' })).text;
    expect(insert(nb('é'))).toContain('"notebook": "é😀"');
    expect(insert(nb('e'))).toContain('"notebook": "é😀"');
    expect(insert(nb('e\u0001\\u00e9'))).toContain('"notebook": "é😀"');
    expect(insert(nb('é').replace('é', '\\u00E9'))).toContain(
      '"notebook": "\\u00e9\\ud83d\\ude00"'
    );
  });

  it('stays text that can be encoded, whatever the id contains', () => {
    for (const id of ['\ud83d', 'a\ude00b', '\u0000\uffff']) {
      const text = jupyter(notebookOf([code('x = None')]));
      const inserted = done(insertSetupCell(text, { id }));
      expect(inserted).toMatchObject({ state: 'ok', id });
      expect(Buffer.from(inserted.text).toString()).toBe(inserted.text);
      expect(done(removeSetupCell(inserted.text)).text).toBe(text);
    }
  });

  it('of old formats gets a cell of its format', () => {
    const [, three] = ODD_SPELLINGS.find(([name]) => name === 'nbformat 3')!;
    const { text, cell } = done(insertSetupCell(three, { id: 'x' }));
    expect(cell).toBe(2);
    expect(cellsOf(text)[1]).toEqual({
      cell_type: 'code',
      collapsed: false,
      input: setupCellSource('x').split(/(?<=\n)/),
      language: 'python',
      metadata: { ipynb_telemetry: { notebook: 'x', setup: true } },
      outputs: []
    });
  });
});

describe('the cell', () => {
  it.each([
    [4, 0, undefined],
    [4, 4, undefined],
    [4, 5, 'ipynb-telemetry-setup'],
    [4, 6, 'ipynb-telemetry-setup']
  ])(
    'has an id only where the format has: %i.%i',
    (nbformat, nbformat_minor, id) => {
      const text = jupyter(notebookOf([], { nbformat, nbformat_minor }));
      const [cell] = cellsOf(done(insertSetupCell(text, { id: 'x' })).text);
      expect(cell!['id']).toBe(id);
    }
  );

  it('has an id of its own', () => {
    const taken = ['ipynb-telemetry-setup', 'ipynb-telemetry-setup-2'].map(
      id => ({ ...code('x = None'), id })
    );
    const { text } = done(
      insertSetupCell(jupyter(notebookOf(taken)), { id: 'x' })
    );
    expect(cellsOf(text).map(({ id }) => id)).toEqual([
      'ipynb-telemetry-setup-3',
      'ipynb-telemetry-setup',
      'ipynb-telemetry-setup-2'
    ]);
  });
});

describe('its place', () => {
  const CODE = code('x = None');

  it.each<[string, number, object[]]>([
    ['before code', 0, [CODE]],
    ['before a cell that begins with a magic', 0, [code('%%html\n<b>'), CODE]],
    ['before text', 0, [prose('Read this.'), CODE]],
    ['before a smaller heading', 0, [prose('## Task'), CODE]],
    ['after front matter', 1, [prose('---\ntitle: x\n---', 'raw'), CODE]],
    ['after any raw cell', 1, [prose('.. rst', 'raw'), CODE]],
    ['after raw cells', 2, [prose('a', 'raw'), prose('b', 'raw'), CODE]],
    [
      'after front matter in Markdown',
      1,
      [prose('---\ntitle: x\n---\n'), CODE]
    ],
    ['after the title', 1, [prose('# Title\n\ntext'), prose('# Two'), CODE]],
    ['after an underlined title', 1, [prose('Title\n====='), CODE]],
    ['after a title in HTML', 1, [prose('<h1 align="center">T</h1>'), CODE]],
    [
      'after front matter and title',
      2,
      [prose('---\na: 1\n---', 'raw'), prose('# T'), CODE]
    ],
    [
      'after the badge of Colab',
      2,
      [
        prose(
          '[![Open](https://colab.research.google.com/assets/b.svg)](https://colab.research.google.com/github/x)'
        ),
        prose('# T'),
        CODE
      ]
    ],
    ['after nothing but front matter', 1, [prose('---\na: 1\n---', 'raw')]],
    ['in an empty notebook', 0, []]
  ])('is %s', (_what, index, cells) => {
    expect(placeAmong(...cells)).toBe(index);
  });

  it('is wrong after code, and update leaves it there and says so', () => {
    const late = jupyter(
      notebookOf([code(' \n'), CODE, code(setupCellSource('x'))])
    );
    expect(done(updateSetupCell(late))).toMatchObject({
      changed: true,
      state: 'misplaced',
      cell: 3,
      reason: expect.stringContaining('move the cell up') as string
    });
    const early = jupyter(
      notebookOf([code(' \n'), code(setupCellSource('x')), CODE])
    );
    expect(done(updateSetupCell(early)).state).toBe('ok');
  });
});

describe('a setup cell that is there', () => {
  const state = (cells: object[], options: SetupOptions = {}): unknown => {
    const result = checkSetupCell(jupyter(notebookOf(cells)), options);
    return result.ok ? [result.state, result.id] : result.code;
  };
  const tag = { ipynb_telemetry: { notebook: 'x', setup: true } };
  const current = code(setupCellSource('x'), tag);

  it.each<[string, unknown, object[], SetupOptions?]>([
    ['the present one', ['ok', 'x'], [current]],
    ['none', ['missing', null], [code('x = None')]],
    ['none, with an id to come', ['missing', 'f'], [], { fallbackId: 'f' }],
    [
      'without its final line end',
      ['ok', 'x'],
      [code(setupCellSource('x').trimEnd(), tag)]
    ],
    [
      'with line ends of Windows',
      ['ok', 'x'],
      [code(setupCellSource('x').replaceAll('\n', '\r\n'), tag)]
    ],
    ['not marked', ['outdated', 'x'], [code(setupCellSource('x'))]],
    [
      'another id than the file name',
      ['ok', 'x'],
      [current],
      { fallbackId: 'f' }
    ],
    ['another id than wanted', ['outdated', 'y'], [current], { id: 'y' }],
    [
      'another package',
      ['outdated', 'x'],
      [current],
      { packageSpec: 'ipynb-telemetry==1' }
    ],
    [
      'of two lines',
      ['outdated', 'week 1'],
      [
        code(
          "from ipynb_telemetry import setup_telemetry\nsetup_telemetry('week 1')  # go"
        )
      ]
    ],
    [
      'of two lines, with a name of its own',
      ['ok', 'week 1'],
      [
        code(
          "from ipynb_telemetry import setup_telemetry\nsetup_telemetry('week 1', student_name=f(')'))  # go"
        )
      ]
    ],
    [
      'with pip before it',
      ['outdated', 'x'],
      [
        code(
          '%pip install -q ipynb-telemetry\nimport ipynb_telemetry\n\nipynb_telemetry.setup_telemetry(\n    "x",\n)\n'
        )
      ]
    ],
    [
      'among other code',
      ['ok', 'x'],
      [
        code(
          'from ipynb_telemetry import setup_telemetry\nsetup_telemetry("x")\nimport numpy as np'
        )
      ]
    ],
    [
      'among other code with another id',
      ['outdated', 'y'],
      [code('import numpy\nsetup_telemetry("x")')],
      { id: 'y' }
    ],
    ['twice', ['doubled', 'x'], [current, current]],
    ['in a comment only', ['missing', null], [code('# setup_telemetry("x")')]],
    ['in Markdown only', ['missing', null], [prose('setup_telemetry("x")')]],
    [
      'defined only',
      ['missing', null],
      [code('def setup_telemetry(x):\n    pass')]
    ],
    [
      'in a long string only',
      ['missing', null],
      [code('text = """\nsetup_telemetry("x")\n"""\nprint(text)')]
    ],
    [
      'after a long string and a lone quote in a comment',
      ['ok', 'x'],
      [code('"""It\'s \\""" set up"""\n# \'\'\'\nsetup_telemetry("x")')]
    ],
    [
      'written to a file only',
      ['missing', null],
      [code('%%writefile setup.py\nsetup_telemetry("x")')]
    ],
    [
      'in another language only',
      ['missing', null],
      [code('\n%%bash\nsetup_telemetry("x")')]
    ],
    [
      'with its output kept',
      ['ok', 'x'],
      [code('%%capture out\nsetup_telemetry("x")')]
    ],
    ['marked and emptied', ['outdated', 'x'], [code('', tag)]]
  ])('is told: %s', (...[, expected, cells, options]) => {
    expect(state(cells, options)).toEqual(expected);
  });

  it('is never inserted again, and what is left to do is said', () => {
    const text = jupyter(notebookOf([code(setupCellSource('x'))]));
    expect(done(insertSetupCell(text, { id: 'y' }))).toMatchObject({
      text,
      changed: false,
      state: 'outdated',
      reason: 'its setup cell has the id "x"; update changes it to "y"'
    });
  });

  it('keeps its id, outputs and other metadata when it is updated', () => {
    const old = {
      ...code('#@title Enter Your Name (REQUIRED)\nsetup_telemetry("old")', {
        tags: ['hide'],
        ipynb_telemetry: { exercise: 'e' }
      }),
      id: 'mine',
      execution_count: 3,
      outputs: [{ output_type: 'stream', name: 'stdout', text: ['Hi'] }]
    };
    const text = jupyter(notebookOf([prose('# T'), old, code('x = None')]));
    const result = done(updateSetupCell(text, { id: 'new' }));
    expect(result.text).toBe(jupyter(JSON.parse(result.text) as object));
    expect(cellsOf(result.text)).toEqual([
      ...cellsOf(text).slice(0, 1),
      {
        ...old,
        metadata: {
          tags: ['hide'],
          ipynb_telemetry: { exercise: 'e', notebook: 'new', setup: true }
        },
        source: setupCellSource('new').split(/(?<=\n)/)
      },
      ...cellsOf(text).slice(2)
    ]);
  });

  it('is left alone with code of somebody else in it', () => {
    for (const cell of [
      code('setup_telemetry("x")\nimport numpy'),
      code(`${setupCellSource('x')}import numpy\n`, tag),
      code('import numpy', tag),
      code(`${setupCellSource('x')}!pip install numpy\n`, tag),
      code(
        '%pip install ipynb-telemetry numpy pandas\nfrom ipynb_telemetry import setup_telemetry\nsetup_telemetry("x")'
      ),
      code('setup_telemetry("x", host="https://relay", api_key="k")'),
      code('setup_telemetry(notebook_id="x", student_name=me,)')
    ]) {
      const text = jupyter(notebookOf([cell]));
      expect(removeSetupCell(text)).toMatchObject({
        ok: false,
        code: 'own-code'
      });
      expect(updateSetupCell(text, { id: 'y' })).toMatchObject({
        ok: false,
        code: 'own-code',
        reason: expect.stringContaining(
          'cell 1 calls setup_telemetry'
        ) as string
      });
    }
  });

  it('is the only one after an update or a removal', () => {
    const text = jupyter(
      notebookOf([current, code('x = None'), current, current])
    );
    const updated = done(updateSetupCell(text));
    expect(updated).toMatchObject({ changed: true, state: 'ok', cell: 1 });
    expect(cellsOf(updated.text)).toHaveLength(2);
    const removed = done(removeSetupCell(text));
    expect(cellsOf(removed.text)).toHaveLength(1);
    expect(removed.text).toBe(jupyter(JSON.parse(removed.text) as object));
  });

  it('takes its id from the notebook where nothing else is said', () => {
    const named = notebookOf([], {
      metadata: {
        kernelspec: { name: 'python3' },
        ipynb_telemetry: { notebook: 'named' }
      }
    });
    const insert = (options: SetupOptions): unknown =>
      done(insertSetupCell(jupyter(named), options)).id;
    expect(insert({ fallbackId: 'file' })).toBe('named');
    expect(insert({ id: 'given', fallbackId: 'file' })).toBe('given');
    expect(insertSetupCell(jupyter(notebookOf([])))).toMatchObject({
      ok: false,
      code: 'no-id'
    });
  });
});

describe('what is refused', () => {
  it.each<[string, string, string, string?]>([
    ['nothing', '', 'not-json', 'empty'],
    ['only a byte order mark', '\ufeff \n', 'not-json', 'empty'],
    ['two byte order marks', '\ufeff\ufeff{}', 'not-json', 'line 1, column 1'],
    [
      'half a file',
      '{\n "cells": [\n  {"a": "b',
      'not-json',
      'line 3, column 9: the string has no end'
    ],
    [
      'a trailing comma',
      '{"a": 1,\r\n}',
      'not-json',
      'line 2, column 1: expected a name'
    ],
    [
      'a comment',
      '{\r // x\r}',
      'not-json',
      'line 2, column 2: JSON has no comments'
    ],
    [
      'NaN, as Python may write it',
      '{"é😀": NaN}',
      'not-json',
      'line 1, column 8: expected a JSON value'
    ],
    [
      'a merge conflict',
      '{\n<<<<<<< HEAD\n',
      'not-json',
      'line 2, column 1: a merge conflict'
    ],
    ['a control character', '{"a": "\t"}', 'not-json', 'control character'],
    ['a list', '[]', 'not-a-notebook'],
    ['another JSON file', '{"name": "x"}', 'not-a-notebook', '`nbformat`'],
    ['no cells', '{"nbformat": 4}', 'not-a-notebook', '`cells`'],
    [
      'cells that are none',
      '{"nbformat": 4, "cells": {}}',
      'not-a-notebook',
      '`cells`'
    ],
    [
      'a cell that is none',
      '{"nbformat": 4,\n "cells": [{}, 5]}',
      'not-a-notebook',
      'line 2, column 16'
    ],
    [
      'worksheets that are none',
      '{"nbformat": 3, "worksheets": []}',
      'not-a-notebook',
      'worksheet'
    ],
    [
      'the first format',
      '{"nbformat": 1, "cells": []}',
      'unsupported-format',
      '1.0'
    ],
    [
      'a format to come',
      '{"nbformat": 5, "nbformat_minor": 2}',
      'unsupported-format',
      '5.2: 2 to 4'
    ]
  ])('%s', (_what, text, kind, said = '') => {
    for (const edit of [
      insertSetupCell,
      updateSetupCell,
      checkSetupCell,
      removeSetupCell
    ]) {
      expect(edit(text, { id: 'x' })).toMatchObject({
        ok: false,
        code: kind,
        reason: expect.stringContaining(said) as string
      });
    }
  });

  it('brackets without end, however many', () => {
    const deep = `{"nbformat": 4, "cells": ${'['.repeat(200_000)}`;
    expect(insertSetupCell(deep, { id: 'x' })).toMatchObject({
      ok: false,
      code: 'not-json'
    });
    const nested = `{"nbformat": 4, "metadata": {"kernelspec": {"name": "python3"}, "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}, "cells": []}`;
    const inserted = done(insertSetupCell(nested, { id: 'x' }));
    expect(done(removeSetupCell(inserted.text)).text).toBe(nested);
  });
});
