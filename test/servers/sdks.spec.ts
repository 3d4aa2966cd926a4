/**
 * PostHog's own clients, unchanged, pointed at the relay: what reaches PostHog behind it is what
 * they sent, event by event.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { complaintsOf, launchChromium } from '../browser/support/chromium.js';
import {
  startPostHogStandIn,
  type PostHogStandIn,
  type StoredEvent
} from '../support/posthogStandIn.js';
import {
  addCourse,
  deadLettersOf,
  makeDataFolder,
  setCourse,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { startTee, type SentEvent, type Tee } from './support/tee.js';

/** What the pages use of posthog-js. */
interface PostHogJs {
  init(key: string, options: object): void;
  capture(event: string, properties?: object): void;
  identify(id: string, properties?: object): void;
  register(properties: object): void;
}
declare const window: { posthog: unknown };

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
jest.setTimeout(90_000);

let posthog: PostHogStandIn;
let relay: RelayProcess;
let tee: Tee;
let folder: Awaited<ReturnType<typeof makeDataFolder>>;
let key: string;

beforeAll(async () => {
  posthog = await startPostHogStandIn();
  folder = await makeDataFolder();
  key = await addCourse(folder.data, 'demo');
  await setCourse(folder.data, 'demo', ['--level', 'full', '--events', 'all']);
  relay = await startRelay({
    data: folder.data,
    posthog: { host: posthog.url, key: 'phc_test' },
    args: ['--posthog-js', `${ROOT}node_modules/posthog-js/dist`]
  });
});
afterAll(async () => {
  await relay?.stop();
  await posthog?.stop();
  await folder?.remove();
});
beforeEach(async () => {
  posthog.reset();
  tee = await startTee(relay.url);
});
afterEach(async () => {
  await tee.close();
});

/** What the relay and PostHog add to every event, where the client did not send it. */
const ADDED = ['course', '$ignore_sent_at', '$geoip_disable', '$ip', '$lib'];

/** Waits until all that was sent arrived, sees that it is the same, and gives it. */
async function expectTheSame(...names: string[]): Promise<StoredEvent[]> {
  await waitFor(
    () =>
      `all of ${names.join()} are sent and arrived; sent ${tee
        .sent()
        .map(({ event }) => event)
        .join()}, arrived ${posthog.stored().length}`,
    () =>
      names.every(name => tee.sent().some(({ event }) => event === name)) &&
      posthog.stored().length >= tee.sent().length,
    30_000
  );
  const arrived = posthog.stored();
  const sent = tee.sent();
  expect(arrived.map(comparable).sort()).toEqual(sent.map(comparable).sort());
  for (const one of sent) {
    const twin = arrived.find(row => sameEvent(row, one))!;
    if (one.uuid !== null) {
      expect(twin.uuid).toBe(one.uuid);
    }
    if (one.time !== null) {
      const difference = Math.abs(Date.parse(twin.timestamp) - one.time);
      // Events of one name and student in one millisecond are told apart by moving them on.
      const alike = sent.filter(
        ({ event, distinct_id }) =>
          event === one.event && distinct_id === one.distinct_id
      ).length;
      expect(difference).toBeLessThanOrEqual(one.toleranceMs + alike - 1);
    }
    expect(twin.copies).toBe(1);
  }
  expect(await deadLettersOf(folder.data)).toEqual([]);
  expect(
    tee.passed().filter(({ status }) => status !== 200 && status !== 204)
  ).toEqual([]);
  return arrived;
}

/** An event as text, without what only one side has. */
function comparable({
  event,
  distinct_id,
  properties
}: SentEvent | StoredEvent): string {
  const rest = Object.entries(properties)
    .filter(([name]) => !ADDED.includes(name))
    .map(([name, value]) => [name, name === 'token' ? 'the key' : value])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));
  return JSON.stringify([event, distinct_id, rest]);
}

function sameEvent(row: StoredEvent, sent: SentEvent): boolean {
  return sent.uuid === null
    ? comparable(row) === comparable(sent)
    : row.uuid === sent.uuid.toLowerCase();
}

describe('posthog-js in Chromium', () => {
  let browser: Browser;
  let pages: Server;
  let site: string;

  beforeAll(async () => {
    browser = await launchChromium();
    pages = createServer((request, response) => {
      void serve(request.url ?? '/').then(
        ({ type, body }) =>
          response.writeHead(200, { 'content-type': type }).end(body),
        () => response.writeHead(404).end()
      );
    });
    await new Promise<void>(resolve => pages.listen(0, '127.0.0.1', resolve));
    site = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await browser?.close();
    pages?.closeAllConnections();
    await new Promise(resolve => pages.close(resolve));
  });

  /** The page, empty, and the scripts of the packages. */
  async function serve(url: string): Promise<{ type: string; body: string }> {
    const [, name] = /^\/(posthog-js[\d.-]*)\.js$/.exec(url) ?? [];
    return name === undefined
      ? {
          type: 'text/html',
          body: '<!doctype html><link rel="icon" href="data:,"><title>A page</title><button id="b">Press</button>'
        }
      : {
          type: 'text/javascript',
          // Of the oldest one, module.js is none.
          body: await readFile(
            `${ROOT}node_modules/${name}/dist/${name.endsWith('1.57') ? 'es' : 'module'}.js`,
            'utf8'
          )
        };
  }

  it.each([
    ['posthog-js-1.57', '1.57'],
    ['posthog-js-1.200', '1.200'],
    ['posthog-js-1.300', '1.300'],
    ['posthog-js', '1.418']
  ])('%s', async (name, version) => {
    const context = await browser.newContext({
      // Some versions say nothing to bots, and have no setting for it.
      userAgent:
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36'
    });
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(site);
    await page.evaluate(
      async ({ script, key: token, host }) => {
        const { default: posthog } = (await import(script)) as {
          default: PostHogJs;
        };
        window.posthog = posthog;
        posthog.init(token, {
          api_host: host,
          opt_out_useragent_filter: true,
          person_profiles: 'always'
        });
        posthog.capture('first', { n: 1, text: 'José 🎓 \u2028 "quoted"' });
        posthog.identify('ADA-LOVELACE', { group: 'A' });
        posthog.register({ superb: true });
        posthog.capture('second', { nested: { list: [1, null, 'x'] } });
      },
      { script: `${site}/${name}.js`, key, host: tee.url }
    );
    await page.click('#b');
    await waitFor('the batch is on its way', () =>
      tee.sent().some(({ event }) => event === 'second')
    );
    await page.evaluate(() => {
      (window.posthog as PostHogJs).capture('on-leaving', { last: true });
    });
    await page.goto('about:blank');
    const arrived = await expectTheSame(
      '$pageview',
      'first',
      '$identify',
      'second',
      'on-leaving'
    );
    expect(complaints).toEqual([]);
    expect(arrived.find(({ event }) => event === 'second')).toMatchObject({
      distinct_id: 'ADA-LOVELACE',
      properties: {
        $lib: 'web',
        superb: true,
        nested: { list: [1, null, 'x'] }
      }
    });
    expect(String(arrived[0]!.properties['$lib_version'])).toContain(version);
    await context.close();
  });

  it("PostHog's snippet, which loads posthog-js from the relay", async () => {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    await page.goto(site);
    await page.evaluate(
      ({ token, host }) => {
        const waiting = Object.assign([] as unknown[], {
          __SV: 1,
          _i: [
            [
              token,
              { api_host: host, opt_out_useragent_filter: true },
              'posthog'
            ]
          ]
        });
        window.posthog = waiting;
        waiting.push(['capture', 'from-the-snippet', { n: 1 }]);
        const script = document.createElement('script');
        script.crossOrigin = 'anonymous';
        script.src = `${host}/static/array.js`;
        document.head.append(script);
      },
      { token: key, host: tee.url }
    );
    await expectTheSame('$pageview', 'from-the-snippet');
    expect(complaints).toEqual([]);
    await page.close();
  });
});

const NODE = `
import { PostHog } from 'posthog-node';
const [key, host, uuid] = process.argv.slice(1);
const client = new PostHog(key, { host, flushAt: 20 });
client.on('error', error => { console.error(error); process.exitCode = 1; });
for (let n = 0; n < 50; n += 1) {
  client.capture({ distinctId: n === 7 ? 'Guest' : 'ADA', event: 'poll', properties: { n, note: 'José 🎓', $set: { a: n }, $session_id: 's' } });
}
client.capture({ distinctId: 'ADA', event: 'dated', timestamp: new Date('2026-11-20T10:00:00.123Z'), uuid, properties: { big: 'x'.repeat(100000) } });
client.identify({ distinctId: 'ADA', properties: { name: 'Ada' } });
client.alias({ distinctId: 'ADA', alias: 'GRACE' });
client.groupIdentify({ groupType: 'class', groupKey: '5b', properties: { size: 20 } });
await client.shutdown();
`;

describe('posthog-node', () => {
  it.each(['v0', 'v1'])('%s', async mode => {
    const uuid = randomUUID();
    await run(
      process.execPath,
      ['--input-type=module', '-e', NODE, key, tee.url, uuid],
      { cwd: ROOT, env: { ...process.env, POSTHOG_CAPTURE_MODE: mode } }
    );
    // A name that PostHog takes for nobody's is told apart from nobody.
    tee.sent().forEach(event => {
      event.distinct_id = event.distinct_id.replace(/^Guest$/, 'student:Guest');
    });
    const arrived = await expectTheSame(
      'poll',
      'dated',
      '$identify',
      '$create_alias',
      '$groupidentify'
    );
    expect(arrived).toHaveLength(54);
    expect(
      tee
        .passed()
        .every(({ url }) => url.startsWith(mode === 'v1' ? '/i/v1/' : '/batch'))
    ).toBe(true);
    expect(arrived.find(({ event }) => event === 'dated')).toMatchObject({
      uuid,
      timestamp: '2026-11-20T10:00:00.123Z'
    });
  });
});

const PYTHON = `
import sys
from datetime import datetime, timezone
from posthog import Posthog
key, host, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
errors = []
client = Posthog(key, host=host, on_error=lambda error, batch: errors.append(error), **options)
for n in range(50):
    client.capture("poll", distinct_id="ADA", properties={"n": n, "note": "José 🎓"})
client.capture("dated", distinct_id="ADA", timestamp=datetime(2026, 11, 20, 10, 0, 0, 123000, tzinfo=timezone.utc))
client.set(distinct_id="ADA", properties={"name": "Ada"})
client.set_once(distinct_id="ADA", properties={"first": True})
client.alias("GRACE", "ADA")
client.group_identify("class", "5b", {"size": 20})
client.shutdown()
sys.exit(str(errors) if errors else 0)
`;

describe('posthog-python', () => {
  it.each([
    ['as it is', '{}', '/batch'],
    ['compressed', "{'gzip': True}", '/batch'],
    ['v1', "{'capture_mode': 'v1'}", '/i/v1/']
  ])('%s', async (_how, options, path) => {
    await run(`${ROOT}.venv/bin/python`, ['-c', PYTHON, key, tee.url, options]);
    const arrived = await expectTheSame(
      'poll',
      'dated',
      '$set',
      '$set_once',
      '$create_alias',
      '$groupidentify'
    );
    expect(arrived).toHaveLength(55);
    expect(tee.passed().every(({ url }) => url.startsWith(path))).toBe(true);
    expect(
      arrived.find(({ event }) => event === '$set')!.properties
    ).toMatchObject({
      $set: { name: 'Ada' },
      $lib: 'posthog-python'
    });
  });
});

describe("curl, as PostHog's documentation has it", () => {
  const curl = async (path: string, body: object): Promise<void> => {
    const { stdout } = await run('curl', [
      ...['-s', '-L', '--header', 'Content-Type: application/json'],
      ...['-d', JSON.stringify(body), `${tee.url}${path}`]
    ]);
    expect(stdout).toBe('{"status":"Ok"}');
  };
  const event = {
    event: 'event name',
    distinct_id: '1234',
    properties: { account_type: 'pro' },
    timestamp: '2026-11-20T10:00:00.000Z'
  };

  it('single events', async () => {
    await curl('/i/v0/e/', { api_key: key, ...event });
    await curl('/capture/', {
      api_key: key,
      event: '$identify',
      properties: { distinct_id: 1234, $set: { is_cool: true } }
    });
    await curl('/i/v0/e/', {
      api_key: key,
      event: '$pageview',
      distinct_id: 'distinct_id_of_your_user',
      properties: { $current_url: 'https://example.com', $session_id: 's' }
    });
    expect(
      await expectTheSame('event name', '$identify', '$pageview')
    ).toHaveLength(3);
  });

  it('a batch', async () => {
    await curl('/batch/', {
      api_key: key,
      historical_migration: false,
      batch: [
        { ...event, timestamp: '2026-11-20T10:00:02Z' },
        {
          event: 'other',
          properties: { distinct_id: '5678', number: 1.5 },
          timestamp: '2026-11-20T10:00:01Z'
        }
      ]
    });
    expect(await expectTheSame('event name', 'other')).toHaveLength(2);
  });
});
