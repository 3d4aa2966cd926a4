/** `notebooks`: what it says of files, what it leaves of them, and how it ends. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diffLines } from '../../src/cli/diffLines.js';
import { run } from '../../src/cli/run.js';
import { code, jupyter, notebookOf, prose } from '../notebooks/examples.js';

const TEXT = jupyter(notebookOf([prose('# Title'), code('x = None')]));
const R = jupyter(notebookOf([], { metadata: { kernelspec: { name: 'ir' } } }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-nb-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  /** Lines of standard output, without the folder's name. */
  out: string[];
  err: string[];
  /** Text that went to standard output as it is. */
  raw: string;
}

async function notebooks(
  argv: readonly string[],
  stdin: string | Uint8Array = '',
  env: NodeJS.ProcessEnv = {}
): Promise<Outcome> {
  const outcome: Outcome = { code: -1, out: [], err: [], raw: '' };
  const plain = (line: string): string => line.replaceAll(`${folder}/`, '');
  outcome.code = await run(['notebooks', ...argv], env, {
    out: line => outcome.out.push(plain(line)),
    err: line => outcome.err.push(plain(line)),
    read: () => Promise.resolve(Buffer.from(stdin)),
    write: text => {
      outcome.raw += text;
    }
  });
  return outcome;
}

function file(name: string, text = TEXT): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const read = (path: string): string => readFileSync(path, 'utf8');

describe('from missing to removed', () => {
  it('says what it did, and ends as CI needs it', async () => {
    const path = file('intro.ipynb');
    expect(await notebooks(['check', path])).toMatchObject({
      code: 1,
      out: [
        'intro.ipynb: missing: it has no setup cell; insert adds one',
        '1 notebook: 1 missing.'
      ]
    });
    expect(await notebooks(['insert', path])).toMatchObject({
      code: 0,
      out: [
        'intro.ipynb: inserted as cell 2, with the id "intro"',
        '1 notebook: 1 inserted.'
      ],
      err: []
    });
    expect(await notebooks(['insert', path])).toMatchObject({
      code: 0,
      out: ['intro.ipynb: unchanged', '1 notebook: 1 unchanged.']
    });
    expect(await notebooks(['check', path])).toMatchObject({
      code: 0,
      out: ['intro.ipynb: ok', '1 notebook: 1 ok.']
    });
    expect(await notebooks(['check', path, '--id', 'new'])).toMatchObject({
      code: 1,
      out: [
        'intro.ipynb: outdated: its setup cell has the id "intro"; update changes it to "new"',
        '1 notebook: 1 outdated.'
      ]
    });
    expect(await notebooks(['insert', path, '--id', 'new'])).toMatchObject({
      code: 1
    });
    expect(await notebooks(['update', path, '--id', 'new'])).toMatchObject({
      code: 0,
      out: [
        'intro.ipynb: updated in cell 2, with the id "new"',
        '1 notebook: 1 updated.'
      ]
    });
    expect(await notebooks(['remove', path])).toMatchObject({
      code: 0,
      out: ['intro.ipynb: removed', '1 notebook: 1 removed.']
    });
    expect(read(path)).toBe(TEXT);
    expect(await notebooks(['remove', path])).toMatchObject({
      code: 0,
      out: ['intro.ipynb: has no setup cell', '1 notebook: 1 unchanged.']
    });
    expect(await notebooks(['update', path])).toMatchObject({ code: 1 });
  });

  it('goes on after a notebook that it refuses, and ends with 2', async () => {
    const broken = file('broken.ipynb', '{\n "cells": [}');
    const outcome = await notebooks([
      'insert',
      broken,
      file('good.ipynb'),
      file('r.ipynb', R),
      join(folder, 'no.ipynb'),
      folder
    ]);
    expect(outcome.code).toBe(2);
    expect(outcome.out).toEqual([
      'broken.ipynb: refused: line 2, column 12: expected a value',
      'good.ipynb: inserted as cell 2, with the id "good"',
      'r.ipynb: refused: it is written in R (by its kernelspec), and the setup cell is Python',
      'no.ipynb: refused: there is no such file',
      `${folder}: refused: it is a folder; --recursive looks into folders`,
      '5 notebooks: 4 refused, 1 inserted.'
    ]);
    expect(read(broken)).toBe('{\n "cells": [}');
  });

  it('installs what the options say, else the variables', async () => {
    const path = file('intro.ipynb');
    const env = { TELEMETRY_PACKAGE_SPEC: 'ipynb-telemetry==1.0' };
    await notebooks(['insert', path], '', env);
    expect(read(path)).toContain('\\"install\\", \\"ipynb-telemetry==1.0\\"');
    expect((await notebooks(['check', path], '', env)).code).toBe(0);
    expect((await notebooks(['check', path])).code).toBe(1);
    await notebooks(['update', path, '--package-spec', './a.whl'], '', env);
    expect(read(path)).toContain('\\"install\\", \\"./a.whl\\"');
    await notebooks(['update', path, '--package-name', 'my-telemetry']);
    expect(read(path)).toContain('from my_telemetry import');
  });
});

describe('--help', () => {
  it.each(['--help', '-h'])('lists the commands: %s', async asked => {
    const { code: ended, out, err } = await notebooks([asked]);
    expect([ended, err]).toEqual([0, []]);
    expect(out[0]).toContain('Usage: ipynb-telemetry notebooks COMMAND');
    for (const name of ['insert', 'update', 'remove', 'check']) {
      expect(out[0]).toContain(`\n  notebooks ${name} FILES…`);
    }
    expect(out[0]).not.toContain('course');
  });
});

describe('--dry-run', () => {
  it('shows the lines that would come, and writes nothing', async () => {
    const path = file('intro.ipynb');
    const { code: ended, out } = await notebooks(['insert', path, '--dry-run']);
    expect(ended).toBe(0);
    expect(out[0]).toBe(
      'intro.ipynb: would be inserted as cell 2, with the id "intro"'
    );
    expect(out[1]).toMatch(/^@@ line \d+ @@$/);
    expect(out).toContain('+     "setup": true');
    expect(out.at(-1)).toBe('1 notebook: 1 inserted (nothing was written).');
    expect(read(path)).toBe(TEXT);
    await notebooks(['insert', path]);
    const there = read(path);
    const removal = await notebooks(['remove', path, '--dry-run']);
    expect(removal.out).toContain('-     "setup": true');
    expect(removal.out[0]).toBe('intro.ipynb: would be removed');
    expect(read(path)).toBe(there);
  });
});

describe('--json', () => {
  it('is one object with everything', async () => {
    const { code: ended, out } = await notebooks([
      'insert',
      file('a/x.ipynb'),
      file('b/x.ipynb'),
      file('broken.ipynb', '['),
      '--json'
    ]);
    expect(ended).toBe(2);
    expect(out).toHaveLength(1);
    expect(JSON.parse(out[0]!)).toEqual({
      dryRun: false,
      results: [
        ...['a/x.ipynb', 'b/x.ipynb'].map(name => ({
          file: name,
          result: 'inserted',
          state: 'ok',
          id: 'x',
          cell: 2,
          reason: null
        })),
        {
          file: 'broken.ipynb',
          result: 'refused',
          state: null,
          id: null,
          cell: null,
          reason: 'line 1, column 2: expected a closing bracket',
          code: 'not-json',
          line: 1,
          column: 2
        }
      ],
      counts: { inserted: 2, refused: 1 },
      warnings: [
        'a/x.ipynb and b/x.ipynb have the same id "x", so they count as one notebook; with --id "{folder}/{stem}" each gets its own'
      ]
    });
  });
});

describe('ids', () => {
  it('that two files share are a warning, and a template mends it', async () => {
    const paths = [file('a/x.ipynb'), file('b/x.ipynb')];
    const { code: ended, err } = await notebooks(['insert', ...paths]);
    expect(ended).toBe(0);
    expect(err).toEqual([
      expect.stringContaining(
        'warning: a/x.ipynb and b/x.ipynb have the same id'
      )
    ]);
    const mended = await notebooks([
      'update',
      ...paths,
      '--id',
      '{folder}/{stem}'
    ]);
    expect(mended).toMatchObject({ code: 0, err: [] });
    expect(mended.out[1]).toContain('with the id "b/x"');
  });
});

describe('folders', () => {
  it('give the notebooks in them, but not copies and packages', async () => {
    file('n/b.ipynb');
    file('n/a/deep.IPYNB');
    file('n/.ipynb_checkpoints/b-checkpoint.ipynb');
    file('n/node_modules/x/y.ipynb');
    file('n/notes.txt');
    symlinkSync(join(folder, 'n'), join(folder, 'n', 'loop'));
    const { code: ended, out } = await notebooks([
      'insert',
      '--recursive',
      join(folder, 'n'),
      // Named twice, done once.
      join(folder, 'n', 'b.ipynb')
    ]);
    expect(ended).toBe(0);
    expect(out).toEqual([
      'n/a/deep.IPYNB: inserted as cell 2, with the id "deep"',
      'n/b.ipynb: inserted as cell 2, with the id "b"',
      '2 notebooks: 2 inserted.'
    ]);
  });

  it('give a notebook once, under its own name, whatever links to it', async () => {
    file('lessons/intro.ipynb');
    mkdirSync(join(folder, 'a'));
    symlinkSync('../lessons/intro.ipynb', join(folder, 'a', 'link.ipynb'));
    expect(await notebooks(['insert', '--recursive', folder])).toMatchObject({
      code: 0,
      out: [
        'a/link.ipynb: inserted as cell 2, with the id "intro"',
        '1 notebook: 1 inserted.'
      ]
    });
    symlinkSync('loop.ipynb', join(folder, 'loop.ipynb'));
    const loop = await notebooks(['check', join(folder, 'loop.ipynb')]);
    expect(loop.out[0]).toBe(
      'loop.ipynb: refused: it is a link that leads back to itself'
    );
  });

  it('without notebooks are noticed', async () => {
    mkdirSync(join(folder, 'empty'));
    const path = join(folder, 'empty');
    expect(await notebooks(['check', '--recursive', path])).toMatchObject({
      code: 2,
      out: [
        'empty: refused: there is no notebook in it',
        '1 notebook: 1 refused.'
      ]
    });
  });
});

describe('-', () => {
  it('is a filter: the notebook out, and what there is to say elsewhere', async () => {
    const inserted = await notebooks(['insert', '-', '--id', 'x'], TEXT);
    expect(inserted).toMatchObject({
      code: 0,
      out: [],
      err: ['-: inserted as cell 2, with the id "x"']
    });
    expect(inserted.raw).toContain('setup_telemetry');
    const removed = await notebooks(['remove', '-'], inserted.raw);
    expect(removed.raw).toBe(TEXT);
    const through = await notebooks(['remove', '-'], TEXT);
    expect(through.raw).toBe(TEXT);
    const check = await notebooks(['check', '-'], inserted.raw);
    expect(check).toMatchObject({ code: 0, out: ['-: ok'], raw: '' });
  });

  it('writes nothing of what it refuses', async () => {
    expect(await notebooks(['insert', '-'], TEXT)).toMatchObject({
      code: 2,
      raw: '',
      err: [expect.stringContaining('give one with --id') as string]
    });
    expect(
      await notebooks(['insert', '-'], new Uint8Array([0x7b, 0xff]))
    ).toMatchObject({
      code: 2,
      raw: '',
      err: ['-: refused: line 1, column 2: it is not UTF-8; save it as UTF-8']
    });
  });
});

describe('what cannot be is said before anything is touched', () => {
  it.each<[string, string[], string]>([
    ['no file', [], 'expected FILES…, got none'],
    [
      'one id for several',
      ['a.ipynb', 'b.ipynb', '--id', 'x'],
      '--id: one id for several notebooks'
    ],
    [
      'an id of nothing',
      ['a.ipynb', '--id', ' '],
      '--id: expected an id, got " "'
    ],
    [
      'a package that is none',
      ['a.ipynb', '--package-name', 'a b'],
      "--package-name (TELEMETRY_PACKAGE_NAME): expected a package's name"
    ],
    [
      'an option of pip',
      ['a.ipynb', '--package-spec=--pre'],
      '--package-spec (TELEMETRY_PACKAGE_SPEC): expected a requirement'
    ],
    ['input and files', ['-', 'a.ipynb'], '- stands for standard input'],
    [
      'input with a file name',
      ['-', '--id', '{stem}'],
      'neither {stem} nor {folder}'
    ],
    [
      'input and JSON',
      ['-', '--id', 'x', '--json'],
      '--json: the notebook itself'
    ]
  ])('%s', async (_what, argv, said) => {
    const path = file('a.ipynb');
    const outcome = await notebooks([
      'insert',
      ...argv.map(word => (word === 'a.ipynb' ? path : word))
    ]);
    expect(outcome).toMatchObject({ code: 2, out: [], raw: '' });
    expect(outcome.err[0]).toContain(said);
    expect(read(path)).toBe(TEXT);
  });
});

describe('diffLines', () => {
  it.each<[string, string, string[]]>([
    ['a\nb', 'a\nb', []],
    ['a\nc', 'a\nb\nc', ['@@ line 2 @@', '+b']],
    ['a\r\nb\r\nc', 'a\r\nc', ['@@ line 2 @@', '-b']],
    ['a', 'b', ['@@ line 1 @@', '-a', '+b']],
    ['x'.repeat(121), '', ['@@ line 1 @@', `-${'x'.repeat(120)}…`, '+']]
  ])('%j to %j', (before, after, lines) => {
    expect(diffLines(before, after)).toEqual(lines);
  });
});
