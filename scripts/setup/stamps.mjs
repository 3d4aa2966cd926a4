/**
 * Remembers from which inputs a build was made, so that it is made again when
 * one of them changes and skipped when none did.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs';
import { join, relative } from 'node:path';
import { SetupError } from './errors.mjs';

const SKIPPED = new Set([
  'node_modules',
  '__pycache__',
  '.ipynb_checkpoints',
  '.DS_Store'
]);

function* filesUnder(path) {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) {
    return;
  }
  if (!info.isDirectory()) {
    yield path;
    return;
  }
  for (const name of readdirSync(path).sort()) {
    if (!SKIPPED.has(name)) {
      yield* filesUnder(join(path, name));
    }
  }
}

/**
 * A hash over names and contents of files.
 * @param {string} root what `inputs` are relative to
 * @param {readonly string[]} inputs files and folders; one that does not exist counts as empty
 * @param {string} [extra] anything else the result depends on, a version for example
 * @returns {string} hexadecimal
 */
export function fingerprint(root, inputs, extra = '') {
  const hash = createHash('sha256').update(extra);
  for (const input of inputs) {
    hash.update(`\0${input}`);
    for (const file of filesUnder(join(root, input))) {
      hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest('hex');
}

/**
 * Makes something unless it is there already, from the same inputs.
 * @param {object} options
 * @param {string} options.root what inputs and outputs are relative to
 * @param {string} options.stamp the file that remembers the inputs' fingerprint
 * @param {readonly string[]} options.inputs
 * @param {readonly string[]} options.outputs files that must exist afterwards
 * @param {string} [options.extra] see `fingerprint`
 * @param {(state: {missing: boolean}) => Promise<void>} options.make `missing`: an output does not exist
 * @returns {Promise<boolean>} whether it had to be made
 * @throws when `make` does; SetupError when an output is still missing afterwards
 */
export async function makeUnlessCurrent({
  root,
  stamp,
  inputs,
  outputs,
  extra,
  make
}) {
  // Taken before the work: an input that changes meanwhile makes the next call do it again.
  const wanted = fingerprint(root, inputs, extra);
  const absent = () => outputs.filter(name => !existsSync(join(root, name)));
  const made = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  const missing = absent().length > 0;
  if (made === wanted && !missing) {
    return false;
  }
  rmSync(stamp, { force: true });
  await make({ missing });
  const still = absent();
  if (still.length > 0) {
    throw new SetupError(
      `The build did not give ${still.join(', ')}.`,
      'Remove the folders lib and .cache and try again.'
    );
  }
  mkdirSync(join(stamp, '..'), { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}
