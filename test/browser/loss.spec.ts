/**
 * Students work while everything around them fails: tabs are closed and reloaded, kernels
 * restarted, the network and the relay go away, the browser is killed. Every run that a
 * kernel took up is one `cell` event in the log, none twice. LONG=1 plays 20 sessions.
 */
import { jest } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { cellRunId } from '../../src/events/ids.js';
import type { TelemetryRecord } from '../../src/events/types.js';
import { recordsOf } from '../../src/relay/log/contents.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { between, seededRandom, type Random } from '../support/random.js';
import {
  addCourse,
  deadLettersOf,
  makeDataFolder,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { Gate, type Weather } from './support/gate.js';
import { startJupyter, type Jupyter } from './support/jupyter.js';
import { startKillable, type KillableBrowser } from './support/killable.js';
import { NotebookPage } from './support/notebookPage.js';

const SESSIONS = process.env['LONG'] === '1' ? 20 : 3;
const STEPS = 14;
jest.setTimeout(SESSIONS * 240_000);

/** Notes the request of every run as the kernel takes it up, on disk before it runs. */
const WITNESS = `
def _witness():
    import os
    shell = get_ipython()
    def note(info):
        if info.store_history and info.raw_cell.strip():
            line = shell.kernel.get_parent()["header"]["msg_id"] + "\\n"
            with open(os.environ["WITNESS_FILE"], "a") as file:
                file.write(line)
    shell.events.register("pre_run_cell", note)
_witness()
del _witness
`;

const CELLS: Record<string, string> = {
  setup: '', // differs by session
  quick: 'x = 1\nx',
  wrong: '1 / 0',
  slow: 'import time; time.sleep(0.4)',
  check:
    '@tracked_test("sum")\ndef check():\n    assert 1 + 1 == 2\ncheck(); check()',
  captured: '%%capture\nprint("nobody sees this")',
  named: '_cell("named", "x")'
};

let folder: string;
let gate: Gate;
let data: Awaited<ReturnType<typeof makeDataFolder>>;
let relay: RelayProcess;
let jupyter: Jupyter;
let browser: KillableBrowser;
/** Requests that pages sent, whether or not a kernel ever took them up. */
const asked = new Set<string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-loss-'));
  gate = await Gate.build();
  data = await makeDataFolder();
  const key = await addCourse(data.data, 'demo');
  await openRelay();
  writeFileSync(witnessFile(), '');
  jupyter = await startJupyter({
    app: 'lab',
    startup: WITNESS,
    env: {
      TELEMETRY_HOST: gate.url,
      TELEMETRY_API_KEY: key,
      TELEMETRY_HOLD_SECONDS: '4',
      WITNESS_FILE: witnessFile()
    }
  });
  browser = await startKillable(join(folder, 'profile'));
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await relay?.stop();
  await gate?.close();
  await data?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const witnessFile = () => join(folder, 'witness.txt');

async function openRelay(): Promise<void> {
  relay = await startRelay({ data: data.data });
  gate.target = relay.url;
}

it(`loses no run and counts none twice in ${SESSIONS} sessions`, async () => {
  const { random } = seededRandom('loss');
  for (let session = 1; session <= SESSIONS; session += 1) {
    // Each session meets the worst once, at a step of its own.
    await play(`loss-${session}`, random, between(random, 4, STEPS - 2));
  }
  gate.weather = 'open';
  // A page on the same profile, where whatever the killed browser kept is sent from.
  await openNotebook('loss-1');
  const performed = witnessed();
  await waitFor(
    () => {
      const arrived = new Set(
        gate.passed.filter(e => e.event === 'cell').map(e => e.uuid)
      );
      const missing = performed.filter(id => !arrived.has(cellRunId(id)));
      return `all ${performed.length} runs arrive; missing: ${missing.join(', ')}`;
    },
    () => {
      const arrived = new Set(gate.passed.map(event => event.uuid));
      return performed.every(id => arrived.has(cellRunId(id)));
    },
    60_000
  );
  await sleep(6000); // Longer than the kernels hold what a page might confirm.
  await browser.close();
  await jupyter.stop();
  await relay.stop();

  const records = await readLog(data.data);
  expect(await deadLettersOf(data.data)).toEqual([]);
  const cells = records.filter(record => record.event === 'cell');
  const counted = cells.map(record => record.uuid);
  expect(new Set(counted).size).toBe(counted.length);
  expect(performed.filter(id => !counted.includes(cellRunId(id)))).toEqual([]);
  // What no kernel took up may be told as aborted or lost, and nothing else may be told.
  const known = new Set([...performed, ...asked].map(cellRunId));
  expect(cells.filter(record => !known.has(record.uuid!))).toEqual([]);
  const taken = new Set(performed.map(cellRunId));
  for (const record of cells) {
    if (!taken.has(record.uuid!)) {
      expect((record.payload as Record<string, unknown>)['status']).toMatch(
        /^(aborted|lost)$/
      );
    }
  }
  checkNumbers();
  process.stdout.write(
    `loss: ${performed.length} runs performed, ${counted.length} cell events, ` +
      `${gate.passed.length - new Set(gate.passed.map(e => e.uuid)).size} sent again\n`
  );
});

/** One student's hour: steps drawn by lot, one of them the browser's sudden end. */
async function play(
  name: string,
  random: Random,
  killAt: number
): Promise<void> {
  writeNotebook(name);
  let notebook = await openNotebook(name);
  await notebook.run('setup');
  for (let step = 0; step < STEPS; step += 1) {
    if (step === killAt) {
      await start(notebook, 'slow');
      await sleep(between(random, 0, 300));
      await browser.kill();
      browser = await startKillable(join(folder, 'profile'));
      notebook = await openNotebook(name);
      continue;
    }
    const draw = random();
    if (draw < 0.5) {
      await runSome(notebook, random);
    } else if (draw < 0.62) {
      await start(notebook, random() < 0.5 ? 'slow' : 'quick');
      await sleep(between(random, 0, 200));
      await notebook.page.reload();
      await notebook.ready();
    } else if (draw < 0.72) {
      await start(notebook, 'slow');
      await notebook.page.close({ runBeforeUnload: false });
      notebook = await openNotebook(name);
    } else if (draw < 0.82) {
      await start(notebook, 'slow');
      await notebook.restartKernel();
      await notebook.run('setup');
    } else if (draw < 0.92) {
      gate.weather = (['shut', 'busy', 'mute'] satisfies Weather[])[
        between(random, 0, 2)
      ]!;
      await runSome(notebook, random);
      if (random() < 0.5) {
        gate.weather = 'open';
      }
    } else {
      await relay.kill();
      await runSome(notebook, random);
      await openRelay();
      gate.weather = 'open';
    }
  }
  gate.weather = 'open';
  await notebook.settled();
  await notebook.page.close();
}

async function runSome(notebook: NotebookPage, random: Random): Promise<void> {
  const ids = Object.keys(CELLS).slice(1);
  for (let count = between(random, 1, 3); count > 0; count -= 1) {
    await notebook.run(ids[between(random, 0, ids.length - 1)]!);
  }
}

/** Begins a run and waits until its request has left the page. */
async function start(notebook: NotebookPage, id: string): Promise<void> {
  const before = asked.size;
  await notebook.start(id);
  await waitFor('the request left', () => asked.size > before);
}

async function openNotebook(name: string): Promise<NotebookPage> {
  const page = await browser.context.newPage();
  watchRequests(page);
  page.on('dialog', dialog => void dialog.accept().catch(() => undefined));
  const notebook = new NotebookPage(page);
  await notebook.open(jupyter.notebookUrl(`${name}.ipynb`));
  return notebook;
}

/** Remembers the requests that a page sends to kernels for cells. */
function watchRequests(page: Page): void {
  page.on('websocket', socket =>
    socket.on('framesent', ({ payload }) => {
      const text = payload.toString();
      const found = /"msg_id":"([^"]+)","msg_type":"execute_request"/.exec(
        text
      );
      if (found && text.includes('"cellId"')) {
        asked.add(found[1]!);
      }
    })
  );
}

function writeNotebook(name: string): void {
  writeFileSync(
    join(jupyter.folder, `${name}.ipynb`),
    JSON.stringify({
      cells: Object.entries(CELLS).map(([id, source]) => ({
        cell_type: 'code',
        execution_count: null,
        id,
        metadata: {},
        outputs: [],
        source:
          id === 'setup'
            ? `from ipynb_telemetry import setup_telemetry\nsetup_telemetry(${JSON.stringify(name)}, student_name="Ada Loss")`
            : source
      })),
      metadata: { kernelspec: { display_name: 'Python 3', name: 'python3' } },
      nbformat: 4,
      nbformat_minor: 5
    })
  );
}

/** Requests that a kernel took up. */
function witnessed(): string[] {
  const lines = readFileSync(witnessFile(), 'utf8').split('\n');
  return [...new Set(lines.filter(line => line !== ''))];
}

async function readLog(folder: string): Promise<TelemetryRecord[]> {
  const log = await openSegmentLog({ dir: join(folder, 'log') });
  const records: TelemetryRecord[] = [];
  for await (const record of log.read(1)) {
    records.push(...recordsOf(record));
  }
  await log.close();
  return records;
}

/** Each side numbers what it sends from 1, one number for one event, and leaves none out. */
function checkNumbers(): void {
  const numbered = new Map<string, Map<number, string>>();
  for (const { uuid, properties: p } of gate.passed) {
    const key = `${String(p['sess'])} ${String(p['src'])}`;
    const numbers = numbered.get(key) ?? new Map<number, string>();
    numbered.set(key, numbers);
    const seq = p['seq'] as number;
    expect({ key, seq, uuid: numbers.get(seq) ?? uuid }).toEqual({
      key,
      seq,
      uuid
    });
    numbers.set(seq, uuid!);
  }
  for (const [key, numbers] of numbered) {
    const largest = Math.max(...numbers.keys());
    const gaps = Array.from({ length: largest }, (_, i) => i + 1).filter(
      seq => !numbers.has(seq)
    );
    expect({ key, gaps }).toEqual({ key, gaps: [] });
  }
}
