/** Which notebooks ask to be recorded, and under which id. */
import { readFileSync } from 'node:fs';
import { readMarking, stem } from '../../src/lab/marking.js';

const cell = (source: string, ours?: unknown) => ({
  source,
  metadata: { ipynb_telemetry: ours }
});
const read = (cells: ReturnType<typeof cell>[], ours?: unknown) =>
  readMarking({ metadata: { ipynb_telemetry: ours }, cells });

it.each([
  ['nothing', [cell('x = 1')], undefined, false, null, false],
  ['empty metadata', [], {}, false, null, false],
  ['its own metadata', [], { notebook: 'intro' }, true, 'intro', false],
  ['metadata of something else', [], { course: 'c' }, true, null, false],
  [
    'a setup cell by metadata',
    [cell('x', { setup: 'in' })],
    undefined,
    true,
    'in',
    true
  ],
  [
    'a setup cell that is only marked',
    [cell('x', { setup: true })],
    undefined,
    true,
    null,
    true
  ],
  [
    'a setup cell by its source',
    [cell(''), cell("y\n_t = setup_telemetry( 'a\\'b' )")],
    undefined,
    true,
    "a'b",
    true
  ],
  [
    'an id with escapes',
    [cell('setup_telemetry(notebook_id="caf\\u00e9 \\"1\\"")')],
    undefined,
    true,
    'café "1"',
    true
  ],
  [
    'an id that is computed',
    [cell('setup_telemetry(NAME)')],
    undefined,
    true,
    null,
    true
  ],
  [
    'metadata before the setup cell',
    [cell('setup_telemetry("cell")')],
    { notebook: 'meta' },
    true,
    'meta',
    true
  ]
] as const)('%s', (_what, cells, ours, marked, id, hasSetup) => {
  expect(read([...cells], ours)).toEqual({ marked, id, hasSetup });
});

it('the sample notebook is marked twice', () => {
  const sample = JSON.parse(
    readFileSync(
      new URL('../../examples/sample.ipynb', import.meta.url),
      'utf8'
    )
  ) as {
    metadata: object;
    cells: { source: string | string[]; metadata: object }[];
  };
  const cells = sample.cells.map(({ source, metadata }) => ({
    source: [source].flat().join(''),
    metadata
  }));
  expect(readMarking({ metadata: sample.metadata, cells })).toEqual({
    marked: true,
    id: 'sample',
    hasSetup: true
  });
  expect(readMarking({ metadata: {}, cells }).id).toBe('sample');
});

it('else the file’s name is the id, and no id is too long', () => {
  expect(stem('week 1/Intro.ipynb')).toBe('Intro');
  expect(stem('RTC:Intro.v2.IPYNB')).toBe('RTC:Intro.v2');
  expect(stem('.ipynb')).toBe('notebook');
  expect(stem(`${'x'.repeat(300)}.ipynb`)).toHaveLength(200);
  expect(read([], { notebook: 'x'.repeat(300) }).id).toHaveLength(200);
});
