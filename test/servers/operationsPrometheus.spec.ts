/** Prometheus' own tool on what the relay tells it, and on the files that we ship for it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensurePromtool } from '../../scripts/setup/promtool.mjs';
import { createMemorySink } from '../../src/sinks/index.js';
import { cellEvent, startTestRelay } from '../relay/support/testRelay.js';

const deployed = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/prometheus/${name}`, import.meta.url));

let promtool: string;
beforeAll(async () => {
  promtool = await ensurePromtool();
}, 300_000);

/** What promtool objects to, and its exit code. */
async function check(metrics: string): Promise<[string, number]> {
  const child = spawn(promtool, ['check', 'metrics']);
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.end(metrics);
  const [code] = (await once(child, 'close')) as [number];
  return [(await said).join(''), code];
}

it.each(['no', 'yes'])(
  'promtool finds nothing wrong with the metrics (courses named: %s)',
  async named => {
    const relay = await startTestRelay({
      flags: { 'metrics-courses': named, 'posthog-key': 'phc_test_metrics' },
      parts: { createPostHogSink: ({ name }) => createMemorySink({ name }) }
    });
    try {
      const batch = [cellEvent(1), cellEvent(1), { event: 'cell' }];
      await relay.post({ api_key: relay.key, batch });
      await relay.post('{');
      const metrics = await (await fetch(`${relay.url}/metrics`)).text();
      expect(metrics).toContain('ipynb_telemetry_events_rejected_total{');
      expect(await check(metrics)).toEqual(['', 0]);
    } finally {
      await relay.remove();
    }
  }
);

it('promtool would object', async () => {
  const [said, code] = await check(
    '# TYPE relay_lag_milliseconds gauge\nrelay_lag_milliseconds 1\n'
  );
  expect(said).toContain('use base unit "seconds"');
  expect(code).not.toBe(0);
});

it('the scrape configuration and the alerts are valid, and every alert is about metrics that exist', async () => {
  const run = promisify(execFile);
  const { stdout } = await run(promtool, [
    'check',
    'config',
    deployed('prometheus.yml')
  ]);
  expect(stdout).toContain('SUCCESS: 7 rules found');
  const relay = await startTestRelay();
  try {
    // One of each, for what is told only once there is something to tell.
    const batch = [cellEvent(1), { event: 'cell' }];
    await relay.post({ api_key: relay.key, batch });
    const metrics = await (await fetch(`${relay.url}/metrics`)).text();
    const { stdout: rules } = await run('cat', [deployed('alerts.yml')]);
    const named = new Set(rules.match(/ipynb_telemetry_\w+/g));
    expect(named.size).toBeGreaterThan(5);
    for (const name of named) {
      expect(metrics).toMatch(new RegExp(`^${name}[{ ]`, 'm'));
    }
  } finally {
    await relay.remove();
  }
});
