/**
 * The relay is killed again and again under load, with PostHog now and then away, and
 * still whatever it answered 200 for arrives in PostHog, once. LONG=1 kills ten times as often.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WireEvent } from '../../src/events/index.js';
import { recordsOf } from '../../src/relay/log/contents.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { makeEvents, postUntilTaken } from '../support/client.js';
import {
  startPostHogStandIn,
  type Behaviour,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { between, seededRandom, type Random } from '../support/random.js';
import {
  addCourse,
  deadLettersOf,
  makeDataFolder,
  spawnRelay,
  startRelay,
  type RelayOptions,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';

const KILLS = process.env['LONG'] ? 500 : 50;
const CLIENTS = 4;

/** What PostHog does during a round. */
const WEATHER: (Behaviour | 'down')[] = [
  { mode: 'ok' },
  { mode: 'ok' },
  'down',
  { mode: 'answer', status: 503 },
  { mode: 'reset', times: 2 },
  { mode: 'slow', ms: 100 }
];

it(
  `loses nothing and counts nothing twice in ${KILLS} kills`,
  async () => {
    const { random } = seededRandom('kills under load');
    const posthog = await startPostHogStandIn();
    const folder = await makeDataFolder();
    const key = await addCourse(folder.data, 'demo');
    const options = {
      data: folder.data,
      posthog: { host: posthog.url, key: 'phc_test' }
    };
    const load = startLoad(key, random);
    let relay: RelayProcess | undefined;
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await change(posthog, WEATHER[between(random, 0, WEATHER.length - 1)]!);
        if (random() < 0.2) {
          await killWhileStarting(options, between(random, 0, 400));
          continue;
        }
        relay = await startRelay(options);
        load.aimAt(relay.url);
        await sleep(between(random, 10, 400));
        await relay.kill();
      }
      await change(posthog, { mode: 'ok' });
      relay = await startRelay(options);
      load.aimAt(relay.url);
      await load.finish();

      const { sent, taken } = load;
      expect(taken.size).toBe(sent.size);
      expect(taken.size).toBeGreaterThan(KILLS * 10);
      await waitFor(
        () =>
          `all ${taken.size} events arrived; there are ${posthog.stored().length}`,
        () => posthog.stored().length >= taken.size,
        30_000
      );
      const stored = posthog.stored();
      const uuids = stored.map(({ uuid }) => uuid);
      expect(new Set(uuids)).toEqual(new Set(taken.keys()));
      expect(uuids).toHaveLength(taken.size);
      for (const row of stored) {
        const event = taken.get(row.uuid)!;
        expect(row.event).toBe(event.event);
        expect(row.timestamp).toBe(event.timestamp);
        expect(row.distinct_id).toBe(event.distinct_id);
        expect(row.properties).toMatchObject(event.properties);
      }
      expect(await deadLettersOf(folder.data)).toEqual([]);
      const copies = stored.reduce((sum, row) => sum + row.copies, 0);
      process.stderr.write(
        `${taken.size} events in ${KILLS} kills; ${load.resent()} posts were repeated, ${copies - stored.length} deliveries were\n`
      );
      expect(await relay.stop()).toBe(0);
      // The door knew every repeated post again, so no reader ever meets an event twice.
      expect((await uuidsInLog(folder.data)).sort()).toEqual(uuids.sort());
    } finally {
      load.abandon();
      await relay?.kill();
      await posthog.stop();
      await folder.remove();
    }
  },
  KILLS * 6000
);

async function change(
  posthog: PostHogStandIn,
  weather: Behaviour | 'down'
): Promise<void> {
  if (weather === 'down') {
    await posthog.down();
  } else {
    await posthog.up();
    posthog.behave(weather);
  }
}

async function uuidsInLog(data: string): Promise<string[]> {
  const log = await openSegmentLog({ dir: join(data, 'log') });
  const uuids: string[] = [];
  try {
    for await (const record of log.read(1)) {
      uuids.push(...recordsOf(record).map(({ uuid }) => uuid ?? 'none'));
    }
  } finally {
    await log.close();
  }
  return uuids;
}

async function killWhileStarting(
  options: RelayOptions,
  afterMs: number
): Promise<void> {
  const { child } = spawnRelay(options);
  const gone = new Promise(resolve => child.once('exit', resolve));
  await sleep(afterMs);
  child.kill('SIGKILL');
  await gone;
}

/** Clients that post batch after batch, each until it is taken, to wherever the relay is. */
function startLoad(key: string, random: Random) {
  const sent = new Map<string, WireEvent>();
  const taken = new Map<string, WireEvent>();
  let url = '';
  let posts = 0;
  let batches = 0;
  let finishing = false;
  let abandoned = false;

  async function client(student: string): Promise<void> {
    let seq = 1;
    while (!finishing && !abandoned) {
      const events = makeEvents(between(random, 1, 20), student, seq);
      seq += events.length;
      batches += 1;
      events.forEach(event => sent.set(event.uuid!, event));
      const wasTaken = await postUntilTaken(
        () => {
          posts += 1;
          return url;
        },
        key,
        events,
        () => abandoned
      );
      if (wasTaken) {
        events.forEach(event => taken.set(event.uuid!, event));
      }
      await sleep(between(random, 0, 8));
    }
  }

  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    client(`STUDENT-${index}`)
  );
  return {
    sent,
    taken,
    aimAt: (next: string) => {
      url = next;
    },
    resent: () => posts - batches,
    /** Lets every client finish its batch. */
    finish: async () => {
      finishing = true;
      await Promise.all(clients);
    },
    abandon: () => {
      abandoned = true;
    }
  };
}
