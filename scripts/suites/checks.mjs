/** Format and style: the checks, and what mends them. */
import { join } from 'node:path';
import { VENV } from '../setup/paths.mjs';

const RUFF = join(VENV, 'bin', 'ruff');
const node = (script, ...args) => ({
  command: process.execPath,
  args: [join('node_modules', script), ...args]
});
const prettier = (...args) =>
  node('prettier/bin/prettier.cjs', '.', '--log-level', 'warn', ...args);
const eslint = (...args) =>
  node('eslint/bin/eslint.js', '.', '--max-warnings', '0', ...args);

/** Each passes or fails as one. */
export const CHECKS = [
  { name: 'prettier', ...prettier('--check') },
  { name: 'eslint', ...eslint() },
  { name: 'ruff format', command: RUFF, args: ['format', '--check', '.'] },
  { name: 'ruff check', command: RUFF, args: ['check', '.'] }
];

export const FIXES = [
  { name: 'eslint', ...eslint('--fix') },
  { name: 'prettier', ...prettier('--write') },
  { name: 'ruff check', command: RUFF, args: ['check', '--fix', '.'] },
  { name: 'ruff format', command: RUFF, args: ['format', '.'] }
];
