/** Builds the extension that captures events of its own, away from this checkout as anybody else would. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './jupyter.js';

/** Builds it; `folder` is what Jupyter loads, `remove` takes everything away. */
export async function buildOtherExtension(): Promise<{
  folder: string;
  remove: () => void;
}> {
  const home = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-other-'));
  const packages = join(ROOT, 'node_modules');
  const source = join(home, 'other-extension');
  symlinkSync(packages, join(home, 'node_modules'));
  cpSync(join(ROOT, 'test/browser/fixtures/other-extension'), source, {
    recursive: true
  });
  // From within, as its author would.
  await promisify(execFile)(
    process.execPath,
    [
      join(packages, '@jupyter/builder/lib/build-labextension.js'),
      '--core-package-file',
      join(packages, '@jupyterlab/core-meta/core.package.json'),
      '.'
    ],
    { cwd: source }
  );
  return {
    folder: join(source, 'out'),
    remove: () => rmSync(home, { recursive: true, force: true })
  };
}
