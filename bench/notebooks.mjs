/**
 * What an edit of a large notebook takes, as a multiple of `JSON.parse` of the same text in the
 * same rounds, in turn: medians. `node bench/notebooks.mjs [--megabytes 50] [--rounds 7] [--json]`.
 * Build first (`npm run build`).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false }
  }
});
const MEGABYTES = Number(values.megabytes);
const ROUNDS = Number(values.rounds);
const ROOM = fileURLToPath(
  new URL('../lib/notebooks/index.js', import.meta.url)
);

if (!existsSync(ROOM)) {
  console.error('Build first: npm run build');
  process.exit(1);
}
const { checkSetupCell, insertSetupCell, removeSetupCell } = await import(ROOM);

/** Outputs of `bytes` each that weigh in another way. */
const OUTPUTS = {
  'one image': bytes => [
    { data: { 'image/png': 'iVBORw0K'.repeat(bytes / 8) } }
  ],
  'lines of text': bytes => [
    {
      text: Array.from(
        { length: bytes / 62 },
        (_, line) =>
          `line ${String(line).padStart(7)} of an "output": é, \\, and more text\n`
      )
    }
  ],
  numbers: bytes => [
    {
      data: {
        'application/vnd.plotly.v1+json': {
          x: Array.from({ length: bytes / 26 }, (_, n) => n / 7)
        }
      }
    }
  ]
};

const notebook = outputs =>
  `${JSON.stringify(
    {
      cells: [
        { cell_type: 'code', metadata: {}, outputs, source: ['import os'] }
      ],
      metadata: { kernelspec: { name: 'python3' } },
      nbformat: 4,
      nbformat_minor: 4
    },
    null,
    1
  )}\n`;

const median = times => times.toSorted((a, b) => a - b)[times.length >> 1];

function timed(times, work) {
  const began = performance.now();
  const result = work();
  times.push(performance.now() - began);
  return result;
}

const rows = Object.entries(OUTPUTS).map(([what, outputsOf]) => {
  const text = notebook(outputsOf(MEGABYTES * 1e6));
  const times = { parse: [], insert: [], check: [], remove: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    timed(times.parse, () => JSON.parse(text));
    const inserted = timed(times.insert, () =>
      insertSetupCell(text, { id: 'bench' })
    );
    timed(times.check, () => checkSetupCell(inserted.text));
    const removed = timed(times.remove, () => removeSetupCell(inserted.text));
    if (removed.text !== text) {
      throw new Error(`${what}: the notebook did not come back`);
    }
  }
  const parse = median(times.parse);
  const ratio = each => Number((median(each) / parse).toFixed(2));
  return {
    what,
    megabytes: Number((text.length / 1e6).toFixed(1)),
    parseMs: Math.round(parse),
    insert: ratio(times.insert),
    check: ratio(times.check),
    remove: ratio(times.remove)
  };
});

if (values.json) {
  console.info(JSON.stringify(rows));
} else {
  console.info('Multiples of JSON.parse of the same text');
  for (const { what, megabytes, parseMs, insert, check, remove } of rows) {
    console.info(
      `${what.padEnd(14)} ${megabytes} MB, JSON.parse ${parseMs} ms: insert ${insert}, check ${check}, remove ${remove}`
    );
  }
}
