/** Attacks by configuration: what the relay can be made to send, and where to. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolveConfig } from '../../src/relay/config/resolve.js';
import { parseCourseFile } from '../../src/relay/courses/courseFile.js';
import { run } from '../../src/cli/run.js';
import { createPostHogSink } from '../../src/sinks/index.js';
import { isRefusedHost, refuseLinkLocal } from '../../src/sinks/linkLocal.js';
import { makeRecord } from '../support/records.js';

/** Ways to write the address of a metadata service. */
const METADATA = [
  'http://169.254.169.254/latest/meta-data',
  'http://2852039166/',
  'http://0xa9fea9fe',
  'http://0251.0376.0251.0376/',
  'http://[::ffff:169.254.169.254]',
  'http://[fe80::1]/',
  'http://[fd00:ec2::254]/',
  'http://100.100.100.200/',
  'https://192.0.0.192',
  'http://168.63.129.16:80/'
];

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('A metadata service as destination', async () => {
  for (const host of METADATA) {
    expect(() =>
      resolveConfig({ flags: { 'posthog-host': host }, env: {} })
    ).toThrow('and no link-local one');
    const said: string[] = [];
    const code = await run(
      [
        ...['course', 'add', 'demo', '--title', 'Demo', '--data', '/dev/null'],
        ...['--posthog-host', host, '--posthog-key', 'phc_x']
      ],
      {},
      { out: () => undefined, err: line => said.push(line) }
    );
    expect([code, said.join()]).toEqual([
      2,
      expect.stringContaining('and no link-local one')
    ]);
  }
  // Nor written into the file by hand.
  const file = JSON.stringify({
    courses: [
      {
        id: 'demo',
        title: 'Demo',
        level: 'outcomes',
        consent: 'notice',
        identity: 'names',
        notice: { receiver: 'x', retention_days: null, contact: null },
        version: 1,
        posthog: { host: METADATA[0], apiKey: 'phc_x' }
      }
    ],
    keys: []
  });
  expect(() => parseCourseFile(file, 'courses.json')).toThrow('posthog.host');
  // A PostHog of one's own may be anywhere else.
  for (const host of ['127.0.0.1', '10.0.0.7', '192.168.1.1', '[::1]', 'a.b']) {
    expect(isRefusedHost(host)).toBe(false);
  }
});

it('A name that stands for a metadata service', async () => {
  const to = (address: string) => () => Promise.resolve([{ address }]);
  await expect(
    refuseLinkLocal('innocent.example', to('169.254.169.254'))
  ).rejects.toThrow('to which nothing is sent');
  await refuseLinkLocal('innocent.example', to('192.0.2.1'));
  // The sender asks before each batch; a sink made past the configuration's checks delivers nothing.
  const sink = createPostHogSink({
    name: 'p',
    host: 'http://169.254.169.254',
    apiKey: 'phc_x',
    requestTimeoutMs: 1000
  });
  expect(await sink.deliver([makeRecord()])).toMatchObject({
    kind: 'retry',
    reason: expect.stringContaining('to which nothing is sent') as string
  });
  await sink.close();
});

it('Another scheme, or credentials, in a destination', () => {
  for (const host of [
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_x',
    'ftp://x.example',
    'javascript:alert(1)',
    'https://user:secret@x.example'
  ]) {
    let message = '';
    try {
      resolveConfig({ flags: { 'posthog-host': host }, env: {} });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('expected an address such as');
    expect(message).not.toContain('secret');
  }
});

it('A destination that redirects to somewhere else', async () => {
  let reached = 0;
  const inner = createServer((_request, response) => {
    reached += 1;
    response.end('{"status":"Ok"}');
  });
  const target = await listen(inner);
  const outer = createServer((request, response) => {
    request.resume();
    response.writeHead(307, { location: `${target}/internal` }).end();
  });
  const host = await listen(outer);
  const sink = createPostHogSink({ name: 'p', host, apiKey: 'phc_x' });
  try {
    const outcome = await sink.deliver([makeRecord()]);
    expect(outcome.kind).not.toBe('ok');
    expect(reached).toBe(0);
  } finally {
    await sink.close();
    inner.close();
    outer.close();
  }
});
