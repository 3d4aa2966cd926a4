/** What was compiled from a source that is gone goes too. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUILDS, pruneCompiled } from '../../scripts/setup/builds.mjs';
import { ROOT } from '../../scripts/setup/paths.mjs';
import { useTempFolders } from './support.mjs';

const tempFolder = useTempFolders();

function write(root, files) {
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
}

describe('pruneCompiled', () => {
  it('removes the compiled files of removed sources, and nothing else', () => {
    const root = tempFolder();
    const kept = [
      'lib/relay/door/judge.js',
      'lib/relay/door/judge.d.ts',
      'lib/lab/view.js',
      'lib/dashboard/assets/index-abc.js',
      'lib/.types/test/a.d.ts'
    ];
    const gone = ['lib/relay/door/old.js', 'lib/relay/door/old.d.ts'];
    write(root, ['src/relay/door/judge.ts', 'src/lab/view.tsx']);
    write(root, [...kept, ...gone]);
    pruneCompiled(root);
    expect(kept.filter(file => !existsSync(join(root, file)))).toEqual([]);
    expect(gone.filter(file => existsSync(join(root, file)))).toEqual([]);
  });

  it('does nothing before the first build', () => {
    expect(() => pruneCompiled(tempFolder())).not.toThrow();
  });
});

describe('BUILDS', () => {
  it('names inputs that exist: a renamed one would no longer be watched', () => {
    const missing = BUILDS.flatMap(build => build.inputs).filter(
      input => !existsSync(join(ROOT, input))
    );
    expect(missing).toEqual([]);
  });
});
