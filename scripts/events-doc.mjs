/**
 * Writes the tables of docs/events.md from the contract; `--check` only compares.
 * Run after `tsc -b src/events`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import {
  DEFAULT_EVENTS,
  EVENT_PROPERTIES,
  SELECTABLE_EVENTS
} from '../lib/events/index.js';
import { CommonProperties } from '../lib/events/schema.js';

const file = new URL('../docs/events.md', import.meta.url);
const BEGIN = '<!-- tables: written by scripts/events-doc.mjs -->';
const END = '<!-- end of tables -->';

/** A schema's type in words. */
function typeOf(schema) {
  if (schema.anyOf) {
    return schema.anyOf.map(typeOf).join(' or ');
  }
  if (schema.enum) {
    return schema.enum.map(value => `\`${value}\``).join(' · ');
  }
  return schema.type;
}

function table(properties, required) {
  const rows = Object.entries(properties).map(
    ([name, schema]) =>
      `| \`${name}\` | ${typeOf(schema)} | ${required.includes(name) ? 'yes' : ''} | ${schema.description} |`
  );
  return [
    '| property | type | required | meaning |',
    '|---|---|---|---|',
    ...rows
  ].join('\n');
}

/** Which events are collected always, by default, or where a course says so. */
function collected() {
  const named = names => names.map(name => `\`${name}\``).join(', ');
  const asked = SELECTABLE_EVENTS.filter(
    name => !DEFAULT_EVENTS.includes(name)
  );
  const always = Object.keys(EVENT_PROPERTIES).filter(
    name => !SELECTABLE_EVENTS.includes(name)
  );
  return [
    '| collected | events |',
    '|---|---|',
    `| by default | ${named(DEFAULT_EVENTS)} |`,
    `| where the course asks for them (\`course set COURSE --events=+NAME\`) | ${named(asked)} |`,
    `| always | ${named(always)}, and custom events |`
  ].join('\n');
}

function tables() {
  const common = Object.keys(CommonProperties);
  const parts = [
    '## Which events a course collects',
    '',
    collected(),
    '',
    'What a course does not collect is not made by the page and the kernel, and not kept by the relay.',
    '',
    '## Common to all',
    '',
    table(CommonProperties, ['nb', 'sess'])
  ];
  for (const [name, schema] of Object.entries(EVENT_PROPERTIES)) {
    const own = Object.fromEntries(
      Object.entries(schema.properties).filter(([key]) => !common.includes(key))
    );
    parts.push('', `## \`${name}\``, '');
    parts.push(
      Object.keys(own).length > 0
        ? table(own, schema.required ?? [])
        : 'Its properties belong to the trace format.'
    );
  }
  return parts.join('\n');
}

const before = readFileSync(file, 'utf8');
const [head] = before.split(BEGIN);
const [, tail = ''] = before.split(END);
const after = await format(`${head}${BEGIN}\n\n${tables()}\n\n${END}${tail}`, {
  parser: 'markdown',
  singleQuote: true
});
if (after !== before) {
  if (process.argv.includes('--check')) {
    console.error('docs/events.md is not current: run `npm run build`.');
    process.exit(1);
  }
  writeFileSync(file, after);
}
