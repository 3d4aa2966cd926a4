/** PostHog sinks in their worker thread: as if they were here, and nothing is lost when the thread dies. */
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createWorkerSinks,
  type WorkerSinks
} from '../../src/relay/workers/workerSinks.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { makeRecord } from '../support/records.js';
import { waitFor } from '../support/waitFor.js';

const BUILT = new URL('../../lib/relay/workers/sinkWorker.js', import.meta.url);

let posthog: PostHogStandIn;
let workers: WorkerSinks;

beforeAll(() => {
  if (!existsSync(fileURLToPath(BUILT))) {
    throw new Error('The worker is not built: npm run build');
  }
});
beforeEach(async () => {
  posthog = await startPostHogStandIn();
  workers = createWorkerSinks(BUILT);
});
afterEach(async () => {
  await workers.close();
  await posthog.stop();
});

const options = (
  name: string
): { name: string; host: string; apiKey: string } => ({
  name,
  host: posthog.url,
  apiKey: `phc_${name}`
});

it('deliver to their own projects, and say what became of it', async () => {
  const [a, b] = [
    workers.createPostHogSink(options('a')),
    workers.createPostHogSink(options('b'))
  ];
  const [one, two] = [makeRecord(), makeRecord()];
  expect(
    await Promise.all([a.deliver([one]), b.deliver([two]), a.deliver([two])])
  ).toEqual([{ kind: 'ok' }, { kind: 'ok' }, { kind: 'ok' }]);
  const rows = posthog
    .stored()
    .map(({ token, uuid }) => `${token} ${uuid}`)
    .sort();
  expect(rows).toEqual(
    [`phc_a ${one.uuid}`, `phc_a ${two.uuid}`, `phc_b ${two.uuid}`].sort()
  );
  await Promise.all([a.close(), b.close()]);
  expect(await a.deliver([one])).toMatchObject({ kind: 'stop' });
});

it('pass on that PostHog cannot take it now, or never', async () => {
  const sink = workers.createPostHogSink(options('a'));
  posthog.behave({ mode: 'answer', status: 503, retryAfter: 2, times: 1 });
  expect(await sink.deliver([makeRecord()])).toMatchObject({
    kind: 'retry',
    afterMs: 2000
  });
  posthog.behave({ mode: 'answer', status: 400, times: 1 });
  expect(await sink.deliver([makeRecord()])).toMatchObject({ kind: 'refused' });
  expect(await sink.deliver([makeRecord()])).toEqual({ kind: 'ok' });
});

it('that cannot be made say why, and take nothing', async () => {
  const sink = workers.createPostHogSink({ ...options('a'), host: 'nonsense' });
  expect(await sink.deliver([makeRecord()])).toMatchObject({
    kind: 'stop',
    reason: expect.stringContaining('PostHog host') as string
  });
});

it('survive the death of their thread: what was on its way is to be sent again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-worker-'));
  try {
    const file = join(folder, 'worker.mjs');
    await writeFile(
      file,
      `import { parentPort } from 'node:worker_threads';
parentPort.on('message', ({ kind, id, records }) => {
  if (kind === 'deliver' && records.length === 2) {
    throw new Error('the thread broke');
  }
  if (kind === 'deliver') {
    parentPort.postMessage({ kind: 'outcome', id, outcome: { kind: 'ok' } });
  }
});`
    );
    const dying = createWorkerSinks(pathToFileURL(file));
    const sink = dying.createPostHogSink(options('a'));
    expect(await sink.deliver([makeRecord(), makeRecord()])).toEqual({
      kind: 'retry',
      reason: 'the thread that delivers to PostHog failed: the thread broke'
    });
    expect(await sink.deliver([makeRecord()])).toEqual({ kind: 'ok' });
    await dying.close();
    expect(await sink.deliver([makeRecord()])).toMatchObject({ kind: 'retry' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('end in the middle of a delivery when they are told to', async () => {
  const sink = workers.createPostHogSink(options('a'));
  posthog.behave({ mode: 'hang' });
  const delivery = sink.deliver([makeRecord()]);
  await waitFor('it is on its way', () => posthog.requests().length > 0);
  await workers.close();
  expect(await delivery).toMatchObject({ kind: 'retry' });
});
