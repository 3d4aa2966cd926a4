/** docs/consent.md and docs/extensions.md name what there is, and nothing else. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CAPTURE, COMMANDS } from '../../src/lab/commands.js';
import type { ConsentState } from '../../src/lab/consent.js';
import { NO_CHOICES, WITHHELD } from '../../src/lab/settings.js';
import { MAX_PROPERTIES } from '../../src/lab/telemetry.js';

const read = (name: string) =>
  readFileSync(
    fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)),
    'utf8'
  );
const consent = read('consent.md');
const extensions = read('extensions.md');

/** First cells of the rows of the table below `heading`, where they are code. */
const rowsBelow = (text: string, heading: string): string[] =>
  [
    ...text
      .slice(text.indexOf(heading))
      .split(/\n## /)[0]!
      .matchAll(/^\| `([^`(]+)/gm)
  ].map(([, name]) => name!);

it('names every state', () => {
  const states: Record<ConsentState, true> = {
    unknown: true,
    ask: true,
    tell: true,
    sending: true,
    paused: true,
    declined: true,
    off: true
  };
  expect(
    rowsBelow(consent, '## States')
      .filter(name => !name.includes(':'))
      .sort()
  ).toEqual(Object.keys(states).sort());
});

it('names every command', () => {
  expect(
    rowsBelow(consent, '## States').filter(name => name.includes(':'))
  ).toEqual([...Object.values(COMMANDS), CAPTURE]);
  expect(extensions).toContain(`'${CAPTURE}'`);
});

it('names every setting, and what can be withheld', () => {
  expect(rowsBelow(consent, '## Your own settings')).toEqual(
    Object.keys(NO_CHOICES)
  );
  for (const kind of WITHHELD) {
    expect(consent).toContain(`\`${kind}\``);
  }
});

it('names the members of ITelemetry and their limits', () => {
  expect(rowsBelow(extensions, '## What it offers')).toEqual([
    'capture',
    'state',
    'stateChanged',
    'refused'
  ]);
  expect(extensions).toContain(MAX_PROPERTIES.toLocaleString('en'));
});
