/** The setup cell goes into Python notebooks only: declared, said, or told by their code. */
import {
  checkSetupCell,
  insertSetupCell,
  removeSetupCell,
  setupCellSource,
  updateSetupCell
} from '../../src/notebooks/index.js';
import { code, jupyter, notebookOf, prose } from './examples.js';

function outcome(
  metadata: object,
  cells: object[] = [],
  language?: string
): string {
  const text = jupyter(notebookOf(cells, { metadata }));
  const result = insertSetupCell(text, { id: 'x', language });
  const checked = checkSetupCell(text, { language });
  expect(checked.ok).toBe(result.ok);
  return result.ok ? 'python' : result.code;
}

const spec = (kernelspec: object): object => ({ kernelspec });

describe('what a notebook declares', () => {
  it.each<[object, string]>([
    [{ language_info: { name: 'python' } }, 'python'],
    [{ language_info: { name: 'Python' } }, 'python'],
    [{ language_info: { name: 'ipython' } }, 'python'],
    [{ language_info: { name: 'R' } }, 'other-language'],
    [{ language_info: { name: 'julia' } }, 'other-language'],
    [spec({ language: 'python', name: 'python3' }), 'python'],
    [spec({ language: 'R', name: 'ir' }), 'other-language'],
    [spec({ name: 'python3' }), 'python'],
    [spec({ name: 'conda-env-ml-py' }), 'python'],
    [spec({ name: 'xpython' }), 'python'],
    [spec({ name: 'pyodide' }), 'python'],
    [spec({ name: 'ir' }), 'other-language'],
    [spec({ name: 'julia-1.10' }), 'other-language'],
    [spec({ name: 'javascript' }), 'other-language'],
    [spec({ name: '.net-csharp' }), 'other-language'],
    [spec({ name: 'my-course' }), 'unknown-language'],
    [
      {
        ...spec({ language: 'sage', name: 'sagemath' }),
        language_info: { name: 'python' }
      },
      'python'
    ],
    [
      {
        ...spec({ language: 'R', name: 'ir' }),
        language_info: { name: 'python' }
      },
      'other-language'
    ],
    [{}, 'unknown-language'],
    [
      { language_info: { name: '' }, kernelspec: { name: 7 } },
      'unknown-language'
    ]
  ])('%j: %s', (metadata, expected) => {
    expect(outcome(metadata)).toBe(expected);
    if (expected === 'other-language') {
      // It is not talked out of it.
      expect(outcome(metadata, [code('import numpy')], 'python')).toBe(
        expected
      );
    }
  });

  it('is named where it speaks against', () => {
    const text = jupyter(notebookOf([], { metadata: spec({ language: 'R' }) }));
    expect(insertSetupCell(text, { id: 'x' })).toMatchObject({
      reason:
        'it is written in R (by its kernelspec), and the setup cell is Python'
    });
  });

  it('before version 4 is the language of its cells', () => {
    const three = (language: string): string =>
      jupyter({
        metadata: { name: '' },
        nbformat: 3,
        nbformat_minor: 0,
        worksheets: [
          { cells: [{ cell_type: 'code', input: [], language, outputs: [] }] }
        ]
      });
    expect(insertSetupCell(three('python'), { id: 'x' }).ok).toBe(true);
    expect(insertSetupCell(three('julia'), { id: 'x' })).toMatchObject({
      code: 'other-language'
    });
  });
});

describe('where it declares nothing', () => {
  it('takes what is said', () => {
    expect(outcome({}, [], 'python')).toBe('python');
    expect(outcome({}, [], 'Python3')).toBe('python');
    expect(outcome({}, [code('import numpy')], 'julia')).toBe('other-language');
  });

  it('says how to say it', () => {
    expect(
      insertSetupCell(jupyter(notebookOf([], { metadata: {} })), { id: 'x' })
    ).toMatchObject({
      reason:
        'it declares no language (no kernelspec, no language_info), and its code does not tell; if it is Python, say --language python'
    });
  });

  it.each<[string, string[], string]>([
    [
      'exercises with NumPy',
      ['import numpy as np', '', '', 'Z = np.zeros(10)\nprint(Z)'],
      'python'
    ],
    [
      'definitions',
      ['def mean(numbers):\n    return sum(numbers) / len(numbers)'],
      'python'
    ],
    ['magics', ['%matplotlib inline'], 'python'],
    [
      'a cell in another language',
      ['%%R\nx <- c(1, 2)\nlibrary(dplyr)', 'x = [n for n in range(3)]'],
      'python'
    ],
    [
      'shell lines and an import',
      ['!pip install pandas', 'from pandas import DataFrame'],
      'python'
    ],
    ['one expression', ['1 + 1'], 'unknown'],
    ['one call that many languages have', ['print("hello")'], 'unknown'],
    ['no code at all', [], 'unknown'],
    [
      'R',
      ['library(ggplot2)\nx <- c(1, 2)\nfor (i in x) {\n  print(i)\n}'],
      'R'
    ],
    [
      'R with pipes',
      ['df %>% filter(a == 1) %>%\n  summarise(m = mean(b))'],
      'R'
    ],
    [
      'Julia',
      ['using Plots\nfunction f(x)\n  x .+ 1\nend\nprintln(f(1))'],
      'Julia'
    ],
    [
      'JavaScript',
      ['const x = [1, 2].map(n => n * 2);\nconsole.log(x);'],
      'JavaScript'
    ],
    [
      'C++',
      ['#include <vector>\nstd::vector<int> v;\nint main() { return 0; }'],
      'Java, Scala or C'
    ],
    [
      'Scala',
      ['val x = List(1, 2)\nobject A { def f = 1 }\nimport scala.util._'],
      'Java, Scala or C'
    ],
    ['SQL', ['SELECT a FROM b WHERE c = 1'], 'SQL']
  ])('its code tells: %s', (_what, sources, expected) => {
    const cells = [prose('import this'), ...sources.map(each => code(each))];
    const text = jupyter(notebookOf(cells, { metadata: {} }));
    const result = insertSetupCell(text, { id: 'x' });
    if (expected === 'python') {
      expect(result).toMatchObject({ ok: true });
    } else {
      expect(result).toMatchObject({
        code: 'unknown-language',
        reason: expect.stringContaining(
          expected === 'unknown' ? 'does not tell' : `looks like ${expected};`
        ) as string
      });
    }
  });

  it('takes a setup cell that is there as a sign', () => {
    const text = jupyter(
      notebookOf([code(setupCellSource('x'))], { metadata: {} })
    );
    expect(updateSetupCell(text)).toMatchObject({ ok: true, state: 'ok' });
    expect(removeSetupCell(text)).toMatchObject({ ok: true, changed: true });
  });
});
