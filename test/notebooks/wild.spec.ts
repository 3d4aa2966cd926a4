/** Every notebook that can be found here, and those that Python's tools write: nbformat has nothing to say against them. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  type Dirent
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkSetupCell,
  decodeNotebook,
  insertSetupCell,
  removeSetupCell
} from '../../src/notebooks/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PYTHON = join(ROOT, '.venv', 'bin', 'python');
const CORPUS = fileURLToPath(new URL('corpus.py', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-nb-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function corpus(what: 'write' | 'judge'): string {
  const done = spawnSync(PYTHON, [CORPUS, what, folder], { encoding: 'utf8' });
  expect({ status: done.status, stderr: done.stderr }).toEqual({
    status: 0,
    stderr: ''
  });
  return done.stdout;
}

function* notebooksUnder(path: string): Generator<string> {
  for (const entry of entriesOf(path)) {
    const inside = join(path, entry.name);
    if (entry.isDirectory() && entry.name !== '.git') {
      yield* notebooksUnder(inside);
    } else if (entry.isFile() && entry.name.endsWith('.ipynb')) {
      yield inside;
    }
  }
}

/** What is in a folder; other tests make and remove theirs meanwhile. */
function entriesOf(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Inserts and removes; the text with the cell, or null where the notebook is refused. */
function goAndReturn(path: string): string | null {
  const bytes = readFileSync(path);
  const decoded = decodeNotebook(bytes);
  if (!decoded.ok) {
    return null;
  }
  // One that has its setup cell gets another one when it has lost it.
  const bare = removeSetupCell(decoded.text);
  const start = bare.ok ? bare.text : decoded.text;
  const inserted = insertSetupCell(start, { id: 'é "x"', language: 'python' });
  if (!inserted.ok) {
    return null;
  }
  const removed = removeSetupCell(inserted.text);
  expect(removed.ok && removed.text === start).toBe(true);
  if (start === decoded.text) {
    expect(Buffer.from(start).equals(bytes)).toBe(true);
  }
  expect(checkSetupCell(inserted.text)).toMatchObject({ state: 'ok' });
  return inserted.text;
}

it('notebooks of this repository and of what is installed come back as they were', () => {
  const found = [...notebooksUnder(ROOT)].filter(existsSync);
  expect(found).toContain(join(ROOT, 'examples', 'sample.ipynb'));
  const worked = found.filter(path => goAndReturn(path) !== null);
  expect(worked).toContain(join(ROOT, 'examples', 'sample.ipynb'));
}, 60_000);

it('notebooks of Python’s tools come back as they were, and are valid meanwhile', () => {
  corpus('write');
  const names = readdirSync(folder).map(name => name.replace('.ipynb', ''));
  expect(names.length).toBeGreaterThan(100);
  for (const name of names) {
    const text = goAndReturn(join(folder, `${name}.ipynb`));
    expect([name, text !== null]).toEqual([name, true]);
    writeFileSync(join(folder, `${name}.after.ipynb`), text!);
  }
  const verdicts = JSON.parse(corpus('judge')) as Record<
    string,
    { added: number; same: boolean; canonical: [boolean, boolean] }
  >;
  expect(Object.keys(verdicts).sort()).toEqual(names.sort());
  for (const [name, { added, same, canonical }] of Object.entries(verdicts)) {
    expect([name, added, same]).toEqual([name, 1, true]);
    // What nbformat wrote is still what nbformat would write.
    expect([name, canonical[1]]).toEqual([name, canonical[0]]);
  }
  const canonical = Object.values(verdicts).filter(each => each.canonical[0]);
  expect(canonical.length).toBeGreaterThan(10);
}, 120_000);
