/**
 * Writes schema/*.schema.json from the contract; `--check` only compares.
 * Run after `tsc -b src/events`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchemas } from '../lib/events/index.js';
import { ROOT } from './setup/paths.mjs';

const check = process.argv.includes('--check');
const stale = [];

mkdirSync(join(ROOT, 'schema'), { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  const file = join(ROOT, 'schema', name);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (existsSync(file) && readFileSync(file, 'utf8') === text) {
    continue;
  }
  stale.push(`schema/${name}`);
  if (!check) {
    writeFileSync(file, text);
  }
}
if (check && stale.length > 0) {
  console.error(`${stale.join(', ')}: not current. Run \`npm run build\`.`);
  process.exitCode = 1;
}
