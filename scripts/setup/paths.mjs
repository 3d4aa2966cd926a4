/** Where things are in the checkout. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root, without a trailing slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(
  /\/$/,
  ''
);

/** The Python environment of the checkout. */
export const VENV = join(ROOT, '.venv');

/** Stamps and the setup's lock. */
export const CACHE = join(ROOT, '.cache');
