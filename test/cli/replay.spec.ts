/** What was set aside, and what is in the log, sent again: by a running relay, and on a folder that none holds. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/run.js';
import { createPostHogSink } from '../../src/sinks/index.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../relay/support/testRelay.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { waitFor } from '../support/waitFor.js';

let posthog: PostHogStandIn;
let relay: TestRelay;
let scratch: string;

beforeEach(async () => {
  posthog = await startPostHogStandIn();
  relay = await startTestRelay({
    level: 'full',
    flags: { 'posthog-host': posthog.url, 'posthog-key': 'phc_test' },
    parts: { createPostHogSink }
  });
  scratch = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-replay-'));
});

afterEach(async () => {
  await relay.remove();
  await posthog.stop();
  await rm(scratch, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  out: string;
  err: string;
}

async function cli(...argv: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    argv,
    {
      IPYNB_TELEMETRY_DATA: relay.folder,
      IPYNB_TELEMETRY_POSTHOG_HOST: posthog.url,
      IPYNB_TELEMETRY_POSTHOG_KEY: 'phc_test'
    },
    { out: line => out.push(line), err: line => err.push(line) }
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await cli(...argv, '--json');
  if (out === '') {
    throw new Error(`${argv.join(' ')} ended with ${code}: ${err}`);
  }
  return JSON.parse(out) as Record<string, unknown>;
}

interface Listed {
  letters: { id: string; stage: string; uuid: string | null; code: string }[];
  counts: { total: number; settled: number };
}

const list = async (...argv: string[]): Promise<Listed> =>
  (await json('dead-letters', 'list', ...argv)) as unknown as Listed;

const post = (...events: unknown[]) =>
  relay.post({ api_key: relay.key, batch: events });

const stored = (): string[] => posthog.stored().map(({ uuid }) => uuid);

async function arrived(count: number): Promise<void> {
  await waitFor(
    () => `${count} events are at PostHog, not ${posthog.stored().length}`,
    () => posthog.stored().length === count
  );
}

/** With the relay at work, and after it has stopped. */
const WAYS = [
  ['asked of the running relay', async () => undefined],
  ['done on the folder', () => relay.relay.close()]
] as const;

describe.each(WAYS)('dead letters, %s', (_way, before) => {
  it('of the door are put right and taken in, once', async () => {
    const bad = cellEvent(1, { ms: 'long' });
    const { uuid: _uuid, ...nameless } = cellEvent(2, { status: 'odd' });
    await post(cellEvent(0), bad, nameless);
    await arrived(1);
    await before();
    const { letters, counts } = await list();
    expect(letters).toMatchObject([
      { stage: 'door', course: 'demo', uuid: uuidOf(1) },
      { stage: 'door', course: 'demo', uuid: null }
    ]);
    expect(counts.total).toBe(2);
    const [first, second] = letters.map(({ id }) => id) as [string, string];

    // As it is, it is refused as before, and stays.
    const again = await cli('dead-letters', 'replay', first);
    expect(again).toMatchObject({ code: 1 });
    expect(again.err).toContain(`${first}  refused: `);
    expect((await list()).letters).toHaveLength(2);

    const file = join(scratch, 'letters.jsonl');
    await json('dead-letters', 'export', file);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"odd"', '"ok"'));
    const one = await json('dead-letters', 'replay', second, file);
    expect(one).toMatchObject({ replayed: 1, open: 2 });
    const right = ['dead-letters', 'replay', first, '--set'];
    expect(await json(...right, 'properties.ms=7')).toMatchObject({
      replayed: 1,
      open: 0
    });
    // Settled ones are sent to nobody.
    expect(await json(...right, 'properties.ms=8')).toMatchObject({
      replayed: 0,
      outcomes: [{ outcome: 'settled' }]
    });
    expect((await list()).counts).toMatchObject({ total: 0, settled: 2 });
    const events = await relay.events();
    expect(events).toHaveLength(3);
    expect(events.map(({ payload }) => payload['ms'])).toContain(7);
  });

  it('of PostHog are sent to PostHog, with the same id', async () => {
    posthog.behave({ mode: 'refuse' });
    await post(cellEvent(1), cellEvent(2, { poison: 1 }), cellEvent(3));
    await arrived(2);
    await waitFor('it is set aside', async () => {
      const { letters } = await list();
      return letters.length === 1;
    });
    await before();
    const [letter] = (await list('--stage', 'posthog')).letters;
    expect(letter).toMatchObject({ code: 'refused', uuid: uuidOf(2) });
    expect((await cli('dead-letters', 'replay', letter!.id)).err).toContain(
      'PostHog answered 400'
    );
    expect(
      await json(
        ...['dead-letters', 'replay', letter!.id],
        ...['--set', 'payload.poison=']
      )
    ).toMatchObject({ replayed: 1, open: 0 });
    expect(stored()).toEqual([uuidOf(1), uuidOf(3), uuidOf(2)]);
    expect((await list()).letters).toEqual([]);
  });

  it('are shown, filtered and dropped', async () => {
    await post(cellEvent(0), cellEvent(1, { ms: 'long' }), { event: '' });
    await before();
    const { letters } = await list('--course', 'demo');
    expect(letters).toHaveLength(2);
    expect((await list('--course', 'other')).letters).toEqual([]);
    expect((await list('--since', '2999-01-01')).letters).toEqual([]);
    const shown = await json('dead-letters', 'show', letters[0]!.id);
    expect(shown['event']).toMatchObject({ uuid: uuidOf(1) });
    expect(await json('dead-letters', 'drop', letters[0]!.id)).toEqual({
      dropped: 1
    });
    expect((await list()).letters).toHaveLength(1);
    expect((await list('--all')).letters).toHaveLength(2);
  });
});

describe.each(WAYS)('a stretch of the log, %s', (_way, before) => {
  it('goes to a destination again, and its own place stays', async () => {
    for (let n = 1; n <= 6; n += 1) {
      await post(cellEvent(n));
    }
    await arrived(6);
    await waitFor('its place is noted', async () =>
      (
        await readFile(join(relay.folder, 'cursors', 'posthog.json'), 'utf8')
      ).includes('"seq":7')
    );
    await before();
    posthog.reset();
    const replay = ['replay', '--sink', 'posthog'];
    expect(await json(...replay, '--from', '2', '--to', '4')).toMatchObject({
      delivered: 3,
      setAside: 0,
      seq: 5
    });
    expect(stored()).toEqual([uuidOf(2), uuidOf(3), uuidOf(4)]);
    posthog.reset();
    await json(...replay, '--from', '2020-01-01', '--course', 'demo');
    expect(stored()).toHaveLength(6);
    // Once more: the same rows.
    await json(...replay, '--from', '1');
    expect(posthog.stored().map(({ copies }) => copies)).toEqual(
      Array(6).fill(2)
    );
    posthog.reset();
    await json(...replay, '--from', '2020-01-01', '--to', '2020-02-01');
    await json(...replay, '--from', '1', '--course', 'other');
    expect(stored()).toEqual([]);
    expect(
      await readFile(join(relay.folder, 'cursors', 'posthog.json'), 'utf8')
    ).toContain('"seq":7');
  });

  it('ends with a reason where nothing is taken', async () => {
    await post(cellEvent(1));
    await arrived(1);
    await before();
    posthog.behave({ mode: 'answer', status: 401 });
    const replay = ['replay', '--sink', 'posthog', '--from'];
    const refused = await cli(...replay, '1');
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/project key.*Go on with --from 1/s);
    expect((await cli(...replay, '9')).err).toContain('records 1 to 1');
    expect(
      (await cli('replay', '--sink', 'nowhere', '--from', '1')).err
    ).toContain('expected posthog, got "nowhere"');
  });
});

it('says how it is called', async () => {
  for (const [argv, message] of [
    [['replay', '--from', '1'], 'expected --sink NAME'],
    [['replay', '--sink', 'posthog'], 'expected --from SEQ|DATE'],
    [['replay', '--sink', 'posthog', '--from', 'then'], 'a date such as'],
    [['dead-letters', 'replay', 'd_0', '--set', 'x'], 'PATH=VALUE'],
    [['dead-letters', 'replay', 'd_0', '--set', '__proto__.x=1'], 'PATH=VALUE'],
    [['dead-letters', 'list', '--since', 'x'], '--since: expected a date']
  ] as const) {
    const outcome = await cli(...argv);
    expect(outcome.code).toBe(2);
    expect(outcome.err).toContain(message);
  }
  const bad = join(scratch, 'bad.jsonl');
  await writeFile(bad, '{"id":"d_0123456789abcdef","event":{}}\n{"id":1}\n');
  expect((await cli('dead-letters', 'replay', bad)).err).toContain('line 2');
  expect((await cli('dead-letters', 'show', 'd_1')).code).toBe(1);
  expect(
    (await cli('dead-letters', 'replay', 'd_0123456789abcdef')).err
  ).toContain('unknown');
});
