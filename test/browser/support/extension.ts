/** Builds a small JupyterLab extension of the tests, as anybody else's would be built. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './jupyter.js';

/** Builds `test/browser/fixtures/<name>`; gives the folder that Jupyter loads. */
export async function buildExtension(name: string): Promise<string> {
  const packages = join(ROOT, 'node_modules');
  await promisify(execFile)(process.execPath, [
    join(packages, '@jupyter/builder/lib/build-labextension.js'),
    '--core-package-file',
    join(packages, '@jupyterlab/core-meta/core.package.json'),
    join(ROOT, 'test/browser/fixtures', name)
  ]);
  return join(ROOT, 'test-results/extensions', name);
}
