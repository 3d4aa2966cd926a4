/**
 * Builds the JupyterLab extension: `tsc -b src/lab`, then JupyterLab's builder into
 * `labextension/static` (ignored by git). Needs no Python. `--development` keeps it readable.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const packages = join(root, 'node_modules');

run('tsc', join(packages, 'typescript', 'bin', 'tsc'), ['-b', 'src/lab']);
run(
  'builder',
  join(packages, '@jupyter', 'builder', 'lib', 'build-labextension.js'),
  [
    ...(process.argv.includes('--development') ? ['--development'] : []),
    '--core-package-file',
    writeCoreMetadata(),
    '.'
  ]
);
report();

/**
 * JupyterLab's own metadata with the patch numbers set to 0. The builder takes the ranges
 * that the bundle asks for at run time from there: as they stand, each older patch release
 * of the same minor would warn "Unsatisfied version" for every package we use.
 */
function writeCoreMetadata() {
  const core = JSON.parse(
    readFileSync(
      require.resolve('@jupyterlab/core-meta/core.package.json'),
      'utf8'
    )
  );
  for (const ranges of [core.dependencies, core.resolutions]) {
    for (const [name, range] of Object.entries(ranges ?? {})) {
      if (name.startsWith('@jupyterlab/')) {
        ranges[name] = range.replace(/^([~^]?\d+\.\d+)\.\d+$/, '$1.0');
      }
    }
  }
  const folder = join(root, 'lib', '.builder');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'core.package.json');
  writeFileSync(file, `${JSON.stringify(core, null, 2)}\n`);
  return file;
}

/** Runs a Node script in the root; its output is shown only when it fails. */
function run(name, script, args) {
  const result = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    encoding: 'utf8'
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    console.error(
      `build-lab: ${name} failed (${result.status ?? result.signal})`
    );
    process.exit(1);
  }
}

/** Says what came of it. A page loads less: the contract is a file of its own, for other extensions. */
function report() {
  const folder = join(root, 'labextension', 'static', 'static');
  let size = 0;
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.js') && file !== 'style.js') {
      size += gzipSync(readFileSync(join(folder, file))).length;
    }
  }
  console.log(
    `labextension/static: ${(size / 1024).toFixed(1)} KiB of JavaScript, gzipped`
  );
}
