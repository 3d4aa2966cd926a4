/** What the relay tells Prometheus about itself, and whom. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { resolveConfig } from '../../../src/relay/config/resolve.js';
import { addKey } from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import { receivedAt } from '../../../src/relay/metrics/gauges.js';
import { routeOf } from '../../../src/relay/metrics/routes.js';
import { startRelay } from '../../../src/relay/relay.js';
import { createMemorySink } from '../../../src/sinks/index.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay | undefined;
afterEach(async () => {
  await relay?.remove();
  relay = undefined;
});

/** Samples by name and labels as they stand in the text. */
async function scrape(
  from: TestRelay,
  headers: Record<string, string> = {}
): Promise<Map<string, number>> {
  const response = await fetch(`${from.url}/metrics`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(
    /^text\/plain; version=0\.0\.4/
  );
  return samples(await response.text());
}

function samples(text: string): Map<string, number> {
  return new Map(
    text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => {
        const [, name, value] = /^(.*) (\S+)$/.exec(line)!;
        return [name!.replace(/^ipynb_telemetry_/, ''), Number(value)];
      })
  );
}

const pick = (
  found: Map<string, number>,
  ...names: string[]
): Record<string, number | undefined> =>
  Object.fromEntries(names.map(name => [name, found.get(name)]));

it('counts what became of events, requests and bytes', async () => {
  relay = await startTestRelay();
  const { key, url } = relay;
  const bodies = [
    { api_key: key, batch: [cellEvent(1), cellEvent(2)] },
    { api_key: key, batch: [cellEvent(2), { event: 'cell' }] },
    {
      api_key: key,
      batch: [
        cellEvent(3),
        { ...cellEvent(4), event: 'edit', properties: { action: 'paste' } }
      ]
    },
    { api_key: 'nbt_unknown', batch: [cellEvent(5)] }
  ].map(body => JSON.stringify(body));
  for (const body of bodies) {
    await relay.post(body);
  }
  await relay.post('{');
  for (const path of ['/healthz', '/', '/api/v1/course', '/no/such/place']) {
    await (await fetch(`${url}${path}`)).text();
  }
  const found = await scrape(relay);
  const { rejected, ...counted } = {
    ...pick(
      found,
      'events_accepted_total',
      'events_duplicate_total',
      'events_not_collected_total',
      'requests_refused_total{code="unknown_key"}',
      'requests_refused_total{code="not_json"}',
      'http_requests_total{route="ingest",status="200"}',
      'http_requests_total{route="ingest",status="400"}',
      'http_requests_total{route="ingest",status="401"}',
      'http_requests_total{route="health",status="200"}',
      'http_requests_total{route="course",status="401"}',
      'http_requests_total{route="page",status="404"}',
      'received_body_bytes_total',
      'acknowledgement_duration_seconds_count',
      'acknowledgement_duration_seconds_bucket{le="+Inf"}',
      'log_last_sequence_number',
      'log_segments',
      'log_writable',
      'log_damaged_stretches',
      'dead_letters{stage="door"}',
      'live_streams'
    ),
    rejected: [...found].filter(([name]) =>
      name.startsWith('events_rejected_total')
    )
  };
  expect(rejected.map(([, count]) => count)).toEqual([1]);
  expect(counted).toEqual({
    events_accepted_total: 3,
    events_duplicate_total: 1,
    events_not_collected_total: 1,
    'requests_refused_total{code="unknown_key"}': 1,
    'requests_refused_total{code="not_json"}': 1,
    'http_requests_total{route="ingest",status="200"}': 3,
    'http_requests_total{route="ingest",status="400"}': 1,
    'http_requests_total{route="ingest",status="401"}': 1,
    'http_requests_total{route="health",status="200"}': 1,
    'http_requests_total{route="course",status="401"}': 1,
    'http_requests_total{route="page",status="404"}': 1,
    received_body_bytes_total: Buffer.byteLength(bodies.join('')) + 1,
    acknowledgement_duration_seconds_count: 3,
    'acknowledgement_duration_seconds_bucket{le="+Inf"}': 3,
    log_last_sequence_number: 2,
    log_segments: 1,
    log_writable: 1,
    log_damaged_stretches: 0,
    'dead_letters{stage="door"}': 1,
    live_streams: 0
  });
  expect(found.get('log_bytes')).toBeGreaterThan(0);
  expect(found.get('acknowledgement_duration_seconds_sum')).toBeGreaterThan(0);
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'process_cpu_seconds_total'
  ]) {
    expect(found.has(name)).toBe(true);
  }
});

it('tells how far each sink is, what it delivered and repeated, and in which state it is', async () => {
  let down = true;
  relay = await startTestRelay({
    flags: { 'posthog-key': 'phc_test_relay' },
    parts: {
      createPostHogSink: ({ name }) =>
        createMemorySink({
          name,
          judge: () =>
            down ? { kind: 'retry', reason: 'down' } : { kind: 'ok' }
        })
    }
  });
  await relay.post({ api_key: relay.key, batch: [cellEvent(1), cellEvent(2)] });
  await relay.post({ api_key: relay.key, batch: [cellEvent(3)] });
  const ofSink = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...(await scrape(relay!))]
        .filter(([name]) => name.includes('sink="posthog"'))
        .map(([name, value]) => [name.replace('sink="posthog"', ''), value])
    );
  const behind = await waitFor('a delivery was repeated', async () => {
    const found = await ofSink();
    return found['sink_retries_total{}']! > 0 && found;
  });
  expect(behind).toMatchObject({
    'sink_lag_records{}': 2,
    'sink_delivered_events_total{}': 0,
    'sink_state{,state="retrying"}': 1,
    'sink_state{,state="running"}': 0,
    'sink_state{,state="stopped"}': 0
  });
  expect(behind['sink_lag_seconds{}']).toBeGreaterThan(0);
  down = false;
  const level = await waitFor('all is delivered', async () => {
    const found = await ofSink();
    return found['sink_lag_records{}'] === 0 && found;
  });
  expect(level).toMatchObject({
    'sink_lag_seconds{}': 0,
    'sink_delivered_events_total{}': 3,
    'sink_set_aside_events_total{}': 0,
    'sink_state{,state="retrying"}': 0,
    'sink_state{,state="running"}': 1
  });
});

it('counts an answer that nobody waited for, and knows ages only where the log can be read', async () => {
  relay = await startTestRelay();
  const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
    kind: 'instructor'
  });
  const live = request(`${relay.url}/api/v1/live?course=demo`, {
    agent: false,
    headers: { authorization: `Bearer ${secret}` }
  });
  live.on('error', () => undefined).end();
  const [{ statusCode }] = (await once(live, 'response')) as [IncomingMessage];
  expect(statusCode).toBe(200);
  expect((await scrape(relay)).get('live_streams')).toBe(1);
  live.destroy();
  await waitFor('the reader is counted', async () => {
    const found = await scrape(relay!);
    return (
      found.get('live_streams') === 0 &&
      found.get('http_requests_total{route="live",status="200"}') === 1
    );
  });
  const broken = {
    // eslint-disable-next-line require-yield
    async *read(): AsyncGenerator<never> {
      await Promise.reject(new Error('EIO'));
    }
  };
  expect(await receivedAt(broken, 1)).toBeNull();
});

it('names no student, key, course or address', async () => {
  relay = await startTestRelay();
  await relay.post({ api_key: relay.key, batch: [cellEvent(1)] });
  await relay.post({ api_key: relay.key, batch: [{ event: 'GRACE-HOPPER' }] });
  await relay.post(
    { api_key: relay.key, batch: [cellEvent(2)] },
    { path: '/batch/ADA-LOVELACE/' }
  );
  await (
    await fetch(`${relay.url}/api/v1/x/ADA-LOVELACE?key=${relay.key}`)
  ).text();
  const text = await (await fetch(`${relay.url}/metrics`)).text();
  expect(text).toContain('events_accepted_total 1');
  for (const canary of [
    'LOVELACE',
    'HOPPER',
    relay.key,
    'demo',
    '127.0.0.1',
    'nbt_'
  ]) {
    expect(text).not.toContain(canary);
  }
});

it('adds up the projects of single courses, or names their courses where that is asked for', async () => {
  const own = {
    posthog: { host: 'https://eu.i.posthog.com', apiKeyEnv: 'OWN' }
  } as const;
  for (const [asked, names] of [
    ['no', { 'posthog-courses': 2 }],
    ['yes', { 'posthog-art': 1, 'posthog-biology': 1 }]
  ] as const) {
    relay = await startTestRelay({
      flags: { 'metrics-courses': asked },
      parts: {
        env: { OWN: 'phc_test_own' },
        createPostHogSink: ({ name }) => createMemorySink({ name })
      }
    });
    for (const course of ['art', 'biology']) {
      const key = await relay.addCourse(course, own);
      await relay.post({ api_key: key, batch: [cellEvent(1)] });
    }
    const delivered = await waitFor('both are delivered', async () => {
      const found = [...(await scrape(relay!))].flatMap(([name, value]) => {
        const sink = /^sink_delivered_events_total\{sink="(posthog.*)"\}/.exec(
          name
        );
        return sink ? [[sink[1]!, value] as const] : [];
      });
      return found.reduce((sum, [, value]) => sum + value, 0) === 2 && found;
    });
    expect(Object.fromEntries(delivered)).toEqual(names);
    await relay.remove();
  }
});

it('counts by course where that is asked for', async () => {
  relay = await startTestRelay({ flags: { 'metrics-courses': 'yes' } });
  const other = await relay.addCourse('other');
  await relay.post({ api_key: relay.key, batch: [cellEvent(1), cellEvent(2)] });
  await relay.post({ api_key: other, batch: [cellEvent(1)] });
  const found = await scrape(relay);
  expect(
    pick(
      found,
      'events_accepted_total{course="demo"}',
      'events_accepted_total{course="other"}'
    )
  ).toEqual({
    'events_accepted_total{course="demo"}': 2,
    'events_accepted_total{course="other"}': 1
  });
});

describe('who may read', () => {
  /** Asks with headers that fetch does not let anyone set. */
  const statusOf = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${relay!.url}/metrics`, { headers }, response => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });

  it('is a program on this machine, and nobody whom a proxy or a page brings', async () => {
    relay = await startTestRelay();
    expect(await statusOf({})).toBe(200);
    expect(await statusOf({ host: 'localhost:7345' })).toBe(200);
    const others: Record<string, string>[] = [
      { 'x-forwarded-for': '127.0.0.1' },
      { 'x-forwarded-proto': 'https' },
      { forwarded: 'for=127.0.0.1' },
      { 'x-real-ip': '127.0.0.1' },
      { via: '1.1 proxy' },
      { host: 'rebound.example' }
    ];
    for (const headers of others) {
      expect([headers, await statusOf(headers)]).toEqual([headers, 401]);
    }
  });

  it('is whoever has a key to read with; where courses are named, to read all of them', async () => {
    relay = await startTestRelay();
    const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
      kind: 'instructor'
    });
    const headers = {
      'x-forwarded-for': '203.0.113.7',
      authorization: `Bearer ${secret}`
    };
    const folder = relay.folder;
    expect(await statusOf(headers)).toBe(200);
    expect(
      await statusOf({ ...headers, authorization: `Bearer ${relay.key}` })
    ).toBe(401);
    await relay.relay.close();
    const { config } = resolveConfig({
      flags: {
        data: folder,
        port: '0',
        'metrics-courses': 'yes',
        'log-level': 'silent'
      },
      env: {}
    });
    const named = await startRelay(config, { env: {} });
    try {
      const response = await fetch(`http://127.0.0.1:${named.port}/metrics`, {
        headers
      });
      expect(response.status).toBe(403);
    } finally {
      await named.close();
    }
  });

  it('is everybody or nobody where the option says so', async () => {
    relay = await startTestRelay({ flags: { metrics: 'open' } });
    expect(await statusOf({ 'x-forwarded-for': '203.0.113.7' })).toBe(200);
    await relay.remove();
    relay = await startTestRelay({ flags: { metrics: 'off' } });
    expect(await statusOf({})).toBe(404);
  });
});

it.each([
  ['/healthz', 'health'],
  ['/api/v1/course', 'course'],
  ['/api/v1/courses', 'api'],
  ['/api/v1/snapshot', 'api'],
  ['/loginx', 'page'],
  ['/array/phc_x/config.js', 'client'],
  ['/__proto__', 'page']
])('counts %s as %s', (path, route) => {
  expect(routeOf(path)).toBe(route);
});
