/** Files: replaced as a whole or not at all, with what belongs to them. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeNotebook,
  editNotebookFile,
  idFromTemplate,
  idOfFile,
  insertSetupCell,
  isTemplate,
  removeSetupCell,
  type Edited,
  type Refusal
} from '../../src/notebooks/index.js';
import { code, jupyter, notebookOf } from './examples.js';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'ipynb-telemetry-nb-')));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const TEXT = jupyter(notebookOf([code('x = None')]));
const insert = (text: string): Edited | Refusal =>
  insertSetupCell(text, { id: 'x' });

function file(content: string | Uint8Array = TEXT): string {
  const path = join(folder, 'n.ipynb');
  writeFileSync(path, content);
  return path;
}

describe('editNotebookFile', () => {
  it('writes what the edit gives, and nothing but it', async () => {
    const path = file('\ufeff' + TEXT.replaceAll('\n', '\r\n'));
    const before = readFileSync(path);
    const result = await editNotebookFile(path, insert);
    expect(result).toMatchObject({ ok: true, changed: true });
    expect(readFileSync(path, 'utf8')).toBe((result as Edited).text);
    await editNotebookFile(path, removeSetupCell);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['n.ipynb']);
  });

  it('keeps the permissions', async () => {
    const path = file();
    chmodSync(path, 0o640);
    await editNotebookFile(path, insert);
    expect(statSync(path).mode & 0o7777).toBe(0o640);
  });

  it('follows a link and leaves it one', async () => {
    mkdirSync(join(folder, 'real'));
    const target = join(folder, 'real', 'n.ipynb');
    writeFileSync(target, TEXT);
    const link = join(folder, 'link.ipynb');
    symlinkSync(target, link);
    await editNotebookFile(link, insert);
    expect(realpathSync(link)).toBe(target);
    expect(readFileSync(target, 'utf8')).toContain('setup_telemetry');
    expect(readdirSync(folder).sort()).toEqual(['link.ipynb', 'real']);
  });

  it('does not touch a file that needs no change, or in a dry run', async () => {
    const path = file();
    const before = statSync(path, { bigint: true });
    await editNotebookFile(path, insert, { dryRun: true });
    await editNotebookFile(path, removeSetupCell);
    const after = statSync(path, { bigint: true });
    expect([after.mtimeNs, after.ino]).toEqual([before.mtimeNs, before.ino]);
  });

  it('leaves a file to whoever changes it meanwhile', async () => {
    const path = file();
    const result = await editNotebookFile(path, text => {
      writeFileSync(path, 'theirs');
      return insert(text);
    });
    expect(result).toMatchObject({
      ok: false,
      code: 'file',
      reason: 'it was changed meanwhile; try again'
    });
    expect(readFileSync(path, 'utf8')).toBe('theirs');
    expect(readdirSync(folder)).toEqual(['n.ipynb']);
  });

  it('respects a file that may not be written to', async () => {
    const path = file();
    chmodSync(path, 0o444);
    const result = await editNotebookFile(path, insert);
    // Root may write to everything.
    expect(result.ok).toBe(process.getuid?.() === 0);
    expect(readdirSync(folder)).toEqual(['n.ipynb']);
  });

  it.each<[string, () => string, string, string]>([
    [
      'a missing file',
      () => join(folder, 'no.ipynb'),
      'file',
      'there is no such file'
    ],
    ['a folder', () => folder, 'folder', 'it is a folder'],
    ['what is no file', () => '/dev/null', 'file', 'it is no ordinary file'],
    [
      'UTF-16',
      () => file(Buffer.from('\ufeff{}', 'utf16le')),
      'not-text',
      'it is UTF-16; save it as UTF-8'
    ],
    [
      'Latin-1',
      () => file(Buffer.from('{"a":\n"\u00e9\u00e9x"}', 'latin1')),
      'not-text',
      'line 2, column 2: it is not UTF-8; save it as UTF-8'
    ],
    [
      'half a character',
      () => file(Buffer.from('{"é\n€').subarray(0, -1)),
      'not-text',
      'line 2, column 1: it is not UTF-8; save it as UTF-8'
    ],
    [
      'an encoded surrogate',
      () => file(new Uint8Array([0x7b, 0xed, 0xa0, 0x80])),
      'not-text',
      'line 1, column 2: it is not UTF-8; save it as UTF-8'
    ]
  ])('refuses %s, untouched', async (_what, make, kind, reason) => {
    const path = make();
    const before = kind === 'not-text' ? readFileSync(path) : null;
    expect(await editNotebookFile(path, insert)).toMatchObject({
      ok: false,
      code: kind,
      reason
    });
    if (before) {
      expect(readFileSync(path)).toEqual(before);
    }
  });

  it('passes on a mistake in the edit itself', async () => {
    await expect(
      editNotebookFile(file(), text =>
        insertSetupCell(text, { id: 'x', packageName: '?' })
      )
    ).rejects.toThrow('packageName');
  });
});

describe('decodeNotebook', () => {
  it('keeps the byte order mark, so that it is written again', () => {
    const bytes = new TextEncoder().encode('\ufeff{}');
    expect(decodeNotebook(bytes)).toEqual({ ok: true, text: '\ufeff{}' });
  });
});

describe('ids of files', () => {
  it.each([
    ['week1/intro.ipynb', 'intro'],
    ['C:\\lessons\\Intro.IPYNB', 'Intro'],
    ['a.b.ipynb', 'a.b'],
    ['no-ending', 'no-ending'],
    [' Week  1\n.ipynb', 'Week 1'],
    ['Cafe\u0301.ipynb', 'Café'],
    ['فارس.ipynb', 'فارس'],
    ['.ipynb', undefined],
    [`${'x'.repeat(300)}.ipynb`, 'x'.repeat(200)],
    [`${'x'.repeat(199)}😀.ipynb`, 'x'.repeat(199)]
  ])('%s gives %s', (path, id) => {
    expect(idOfFile(path)).toBe(id);
  });

  it('are made by a template', () => {
    const path = '/course/week 1/intro.ipynb';
    expect(idFromTemplate('{folder}/{stem}', path)).toBe('week 1/intro');
    expect(idFromTemplate('a{b}$&', path)).toBe('a{b}$&');
    expect(idFromTemplate(' ', path)).toBeUndefined();
    expect([isTemplate('x-{stem}'), isTemplate('{x}')]).toEqual([true, false]);
  });
});
