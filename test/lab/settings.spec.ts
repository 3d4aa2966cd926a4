/** The student's own settings, and the schema that JupyterLab shows them by. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NO_CHOICES, readSettings, WITHHELD } from '../../src/lab/settings.js';

const schema = JSON.parse(
  readFileSync(
    fileURLToPath(new URL('../../schema/lab/plugin.json', import.meta.url)),
    'utf8'
  )
) as {
  properties: Record<
    string,
    { default: unknown; enum?: string[]; items?: { enum: string[] } }
  >;
};

it('reads what the schema offers', () => {
  expect(Object.keys(schema.properties).sort()).toEqual(
    Object.keys(NO_CHOICES).sort()
  );
  expect(schema.properties['withhold']!.items!.enum).toEqual([...WITHHELD]);
  expect(schema.properties['level']!.enum).toEqual(['course', 'outcomes']);
});

it('has the schema’s defaults', () => {
  const defaults = Object.fromEntries(
    Object.entries(schema.properties).map(([name, of]) => [name, of.default])
  );
  expect(readSettings(defaults)).toEqual(NO_CHOICES);
  expect(readSettings({})).toEqual(NO_CHOICES);
});

it('takes choices, and leaves out what makes no sense', () => {
  expect(
    readSettings({
      level: 'outcomes',
      withhold: ['edit', 'cell', 7, 'ai'],
      showStatus: false
    })
  ).toEqual({ level: 'outcomes', withhold: ['edit', 'ai'], showStatus: false });
  expect(
    readSettings({ level: 'full', withhold: 'focus', showStatus: 'no' })
  ).toEqual(NO_CHOICES);
});
