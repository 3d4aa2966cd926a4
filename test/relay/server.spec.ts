/** The listening side: TLS by file with certificates that are renewed, and no patience for slow headers. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, request, type RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { resolveConfig } from '../../src/relay/config/resolve.js';
import { waitFor } from '../support/waitFor.js';
import { startTestRelay, type TestRelay } from './support/testRelay.js';

let folder: string;
let relay: TestRelay | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-tls-'));
});
afterEach(async () => {
  await relay?.remove();
  relay = undefined;
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A certificate of its own for localhost, in `NAME.crt` and `NAME.key`. */
async function makeCertificate(name: string): Promise<void> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec'],
    ...['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost'],
    ...['-keyout', join(folder, `${name}.key`)],
    ...['-out', join(folder, `${name}.crt`)]
  ]);
}

const inPlace = { 'tls-cert': '', 'tls-key': '' };

async function put(name: string, ending: 'crt' | 'key'): Promise<void> {
  await rename(
    join(folder, `${name}.${ending}`),
    join(folder, `relay.${ending}`)
  );
}

interface Seen {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  /** Name in the certificate of the connection, and whether the connection was used before. */
  name: string;
  reused: boolean;
}

async function get(options: RequestOptions = {}): Promise<Seen> {
  const call = request({
    host: '127.0.0.1',
    port: relay!.relay.port,
    path: '/healthz',
    rejectUnauthorized: false,
    agent: false,
    ...options
  });
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  return {
    status: response.statusCode!,
    headers: response.headers,
    text: await text(response),
    name: String(subject.CN),
    reused: call.reusedSocket
  };
}

it('speaks TLS, renews its certificate, and drops no connection for it', async () => {
  await Promise.all(['first', 'second'].map(makeCertificate));
  await put('first', 'crt');
  await put('first', 'key');
  inPlace['tls-cert'] = join(folder, 'relay.crt');
  inPlace['tls-key'] = join(folder, 'relay.key');
  relay = await startTestRelay({ flags: inPlace });
  expect(relay.relay.url).toBe(`https://127.0.0.1:${relay.relay.port}`);
  const kept = new Agent({ keepAlive: true, rejectUnauthorized: false });
  try {
    const first = await get({ agent: kept });
    expect([first.status, first.name]).toEqual([200, 'first']);
    expect(first.headers['strict-transport-security']).toMatch(/^max-age=\d+$/);

    // For a moment the certificate is new and the key is old.
    await put('second', 'crt');
    await waitFor('the relay tells that they do not match', () =>
      relay!.logged().includes('certificate not renewed')
    );
    expect((await get()).name).toBe('first');
    await put('second', 'key');
    await waitFor('new connections see the new one', async () => {
      return (await get()).name === 'second';
    });
    const again = await get({ agent: kept });
    expect([again.reused, again.status, again.name]).toEqual([
      true,
      200,
      'first'
    ]);

    // Files that are gone for a moment, or broken, change nothing.
    await rm(join(folder, 'relay.key'));
    await waitFor('it is told', () => relay!.logged().includes('ENOENT'));
    expect((await get()).name).toBe('second');
    const login = await relay.relay.loginLink();
    const opened = await get({
      path: new URL(login).pathname + new URL(login).search
    });
    expect(opened.headers['set-cookie']![0]).toMatch(/; Secure$/);
  } finally {
    kept.destroy();
  }
});

it('refuses to start with TLS files that it cannot use, and says what it expected', async () => {
  await writeFile(join(folder, 'broken.pem'), 'nonsense');
  const broken = join(folder, 'broken.pem');
  await expect(
    startTestRelay({ flags: { 'tls-cert': broken, 'tls-key': broken } })
  ).rejects.toThrow('tls-cert and tls-key: expected a certificate and its key');
  expect(() =>
    resolveConfig({ flags: { 'tls-cert': broken }, env: {} })
  ).toThrow('--tls-cert: expected tls-cert and tls-key together');
});

it('ends a connection whose headers take too long, and serves the others meanwhile', async () => {
  relay = await startTestRelay({ flags: { 'header-timeout-seconds': '1' } });
  const slow = connect(relay.relay.port, '127.0.0.1');
  await once(slow, 'connect');
  slow.write('POST /batch/ HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const drip = setInterval(() => slow.write('a'), 200);
  slow.on('error', () => undefined);
  const health = await fetch(`${relay.url}/healthz`);
  expect(health.status).toBe(200);
  const answer = await text(slow);
  clearInterval(drip);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
});
