/** A backup taken from a relay at work, and a relay that goes on from it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import {
  addCourse,
  makeDataFolder,
  runCli,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { cellEvent, uuidOf } from '../relay/support/testRelay.js';

const ROUNDS = process.env['LONG'] ? 20 : 1;

it(
  'holds every event that was acknowledged before, and a relay that is started from it delivers none twice',
  async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await backUpUnderLoad();
    }
  },
  ROUNDS * 120_000
);

async function backUpUnderLoad(): Promise<void> {
  const { data, remove } = await makeDataFolder();
  const home = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-backup-'));
  const copy = join(home, 'copy');
  const restored = join(home, 'data');
  const relays: RelayProcess[] = [];
  const upstreams: PostHogStandIn[] = [];
  const start = async (folder: string, key: string): Promise<RelayProcess> => {
    const upstream = await startPostHogStandIn();
    upstreams.push(upstream);
    const relay = await startRelay({
      data: folder,
      posthog: { host: upstream.url, key },
      // Small files, so that the log goes from one to the next meanwhile.
      args: ['--segment-bytes', '65536']
    });
    relays.push(relay);
    return relay;
  };
  try {
    const key = await addCourse(data, 'demo');
    const relay = await start(data, 'phc_test_backup');
    let next = 0;
    let going = true;
    const acknowledged = new Set<number>();
    const post = async (to: RelayProcess, ids: number[]): Promise<number> => {
      const response = await fetch(`${to.url}/batch/`, {
        method: 'POST',
        body: JSON.stringify({
          api_key: key,
          batch: ids.map(n => cellEvent(n))
        })
      });
      await response.arrayBuffer();
      return response.status;
    };
    const posters = Array.from({ length: 4 }, async () => {
      while (going) {
        const ids = Array.from({ length: 10 }, () => (next += 1));
        expect(await post(relay, ids)).toBe(200);
        ids.forEach(n => acknowledged.add(n));
      }
    });
    await waitFor(
      'events are accepted and delivered',
      () => acknowledged.size > 500 && upstreams[0]!.stored().length > 100,
      30_000
    );
    const before = [...acknowledged];
    const said = await runCli('backup', copy, '--data', data, '--json');
    const whileCopied = acknowledged.size - before.length;
    going = false;
    await Promise.all(posters);
    await relay.kill();
    expect((JSON.parse(said) as { files: number }).files).toBeGreaterThan(4);
    // Otherwise it was no backup under load.
    expect(whileCopied).toBeGreaterThan(0);

    await runCli('restore', copy, '--data', restored);
    const again = await start(restored, 'phc_test_backup');
    // What clients did not hear of in time, they send again; here everything.
    const all = Array.from({ length: next }, (_, index) => index + 1);
    for (let from = 0; from < all.length; from += 500) {
      expect(await post(again, all.slice(from, from + 500))).toBe(200);
    }
    const [first, second] = upstreams as [PostHogStandIn, PostHogStandIn];
    const arrived = (): Set<string> =>
      new Set([...first.stored(), ...second.stored()].map(({ uuid }) => uuid));
    await waitFor(
      () => `all ${next} have arrived: ${arrived().size}`,
      () => arrived().size === next,
      30_000
    );
    expect(second.stored().filter(({ copies }) => copies !== 1)).toEqual([]);

    // The restored log alone, without what was sent again, holds all that were acknowledged before.
    await again.stop();
    await rm(restored, { recursive: true });
    await runCli('restore', copy, '--data', restored);
    await rm(join(restored, 'cursors'), { recursive: true });
    const replayed = await start(restored, 'phc_test_backup');
    const missing = (): string[] => {
      const there = new Set(
        upstreams
          .at(-1)!
          .stored()
          .map(({ uuid }) => uuid)
      );
      return before.map(n => uuidOf(n)).filter(uuid => !there.has(uuid));
    };
    await waitFor(
      () => `the log gives all: ${missing().length} missing`,
      () => missing().length === 0,
      30_000
    );
    await replayed.stop();
  } finally {
    await Promise.all(relays.map(relay => relay.kill()));
    await Promise.all(upstreams.map(upstream => upstream.stop()));
    await rm(home, { recursive: true, force: true });
    await remove();
  }
}
