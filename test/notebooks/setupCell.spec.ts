/** The setup cell is the one that Python writes: the golden file is read by both. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  setupCellNode,
  SetupCellError,
  setupCellSource
} from '../../src/notebooks/index.js';
import {
  pythonLiteral,
  readPythonLiteral
} from '../../src/notebooks/pythonText.js';

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/setup-cells.json', import.meta.url), 'utf8')
) as {
  base: string;
  ids: [string, string][];
  packages: { name: string; spec: string; source: string }[];
};

describe('setupCellSource', () => {
  it.each(golden.ids.map(([id, literal]) => [id.slice(0, 30), id, literal]))(
    'writes what Python writes for %j',
    (_short, id, literal) => {
      expect(setupCellSource(id!)).toBe(
        golden.base.replace(
          'setup_telemetry("intro")',
          () => `setup_telemetry(${literal})`
        )
      );
      expect(setupCellNode(id!)).toEqual({
        cell_type: 'code',
        execution_count: null,
        id: 'ipynb-telemetry-setup',
        metadata: { ipynb_telemetry: { notebook: id, setup: true } },
        outputs: [],
        source: setupCellSource(id!)
      });
    }
  );

  it.each(golden.packages)(
    'installs $spec of $name as Python says it',
    ({ name, spec, source }) => {
      expect(
        setupCellSource('intro', { packageName: name, packageSpec: spec })
      ).toBe(source);
    }
  );

  it.each([
    [{ packageName: 'os; import evil' }, 'packageName: expected'],
    [{ packageName: 'télémétrie' }, 'packageName: expected'],
    [{ packageName: 'class' }, '"class" is a keyword of Python'],
    [{ packageName: 'None' }, '"None" is a keyword of Python'],
    [
      { packageSpec: '--index-url=http://evil.example' },
      'packageSpec: expected'
    ]
  ])('refuses %j', (options, said) => {
    expect(() => setupCellSource('intro', options)).toThrow(SetupCellError);
    expect(() => setupCellSource('intro', options)).toThrow(said);
  });
});

describe('Python literals', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });

  it('stand on one line of what can be seen, and are read back', () => {
    fc.assert(
      fc.property(text, any => {
        const literal = pythonLiteral(any);
        expect(literal).toMatch(/^"[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*"$/u);
        expect(readPythonLiteral(literal)).toBe(any);
      })
    );
  });

  it.each([
    [`'a\\'b'`, "a'b"],
    [`"\\x41\\u00e9\\U0001f600\\n"`, 'Aé😀\n'],
    [`"a`, undefined],
    [`"a"b"`, undefined],
    [`"\\N{BULLET}"`, undefined],
    [`"\\101"`, undefined],
    [`"\\Uffffffff"`, undefined],
    [`f"a"`, undefined]
  ])('%s is read as %j', (literal, expected) => {
    expect(readPythonLiteral(literal)).toBe(expected);
  });
});
