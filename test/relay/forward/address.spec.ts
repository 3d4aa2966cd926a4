/** Addresses, credentials and the id of a door. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ConfigError,
  resolveConfig
} from '../../../src/relay/config/resolve.js';
import {
  formatAddress,
  parseAddress
} from '../../../src/relay/forward/address.js';
import { readCredentials } from '../../../src/relay/forward/credentials.js';
import { openDoorId } from '../../../src/relay/forward/doorId.js';
import { feedsSinks } from '../../../src/relay/forward/scaling.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-address-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['nats://a', 'nats://a:4222/telemetry'],
  ['nats://a:4333,b,[::1]:5/class', 'nats://a:4333,b:4222,[::1]:5/class'],
  ['nats+tls://a.example.org/', 'nats+tls://a.example.org:4222/telemetry'],
  ['kafka://a,b:9093/x_y-1', 'kafka://a:9092,b:9093/x_y-1']
])('reads %s', (text, full) => {
  expect(formatAddress(parseAddress(text)!)).toBe(full);
});

it.each([
  'nats://user:secret@a:4222',
  'http://a',
  'nats://',
  'nats://a:99999',
  'nats://a/b.c',
  'nats://a?token=secret',
  'nats://a,,b'
])('refuses %s', text => {
  expect(parseAddress(text)).toBeUndefined();
});

it('never shows credentials that stand in an address', () => {
  try {
    resolveConfig({ flags: { forward: 'nats://u:hunter2@a', data: folder } });
    throw new Error('taken');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toContain('without credentials');
    expect((error as Error).message).not.toContain('hunter2');
  }
});

it.each([
  ['1/1', true],
  ['2/4', true],
  ['0/2', false],
  ['3/2', false],
  ['1/5', false],
  ['half', false]
])('takes %s for a consumer’s share: %s', (text, fits) => {
  const config = (): unknown =>
    resolveConfig({ flags: { 'consume-share': text, data: folder } });
  if (fits) {
    expect(config()).toMatchObject({ config: { 'consume-share': text } });
  } else {
    expect(config).toThrow('expected a part and a number of parts');
  }
});

it('reads credentials of each kind from a file, and shows none of them', async () => {
  expect(await readCredentials(null)).toEqual({ kind: 'none' });
  const file = join(folder, 'credentials');
  const read = async (text: string): Promise<unknown> => {
    await writeFile(file, text);
    return readCredentials(file);
  };
  expect(await read('{"user":"u","password":"p"}')).toEqual({
    kind: 'password',
    user: 'u',
    password: 'p'
  });
  expect(await read('{"token":"t"}')).toEqual({ kind: 'token', token: 't' });
  expect(
    await read('-----BEGIN NATS USER JWT-----\nx\n------END…')
  ).toMatchObject({ kind: 'creds' });
  await expect(read('hunter2')).rejects.toThrow('holds something else');
  await expect(read('hunter2')).rejects.not.toThrow('hunter2');
  await expect(readCredentials(join(folder, 'none'))).rejects.toThrow('ENOENT');
});

it('makes a door’s id once, for its owner alone, and refuses a broken one', async () => {
  const file = join(folder, 'door-id');
  const id = await openDoorId(file);
  expect(id).toMatch(/^d[0-9a-f]{16}$/);
  expect(await openDoorId(file)).toBe(id);
  expect((await stat(file)).mode & 0o077).toBe(0);
  expect(await openDoorId(join(folder, 'other'))).not.toBe(id);
  await writeFile(file, 'x');
  await expect(openDoorId(file)).rejects.toThrow(
    'expected the id of this door'
  );
  expect(await readFile(file, 'utf8')).toBe('x');
});

it('lets every relay feed its sinks but a door that only forwards', () => {
  const nats = 'nats://a:4222/telemetry';
  expect(feedsSinks({ forward: null, consume: null })).toBe(true);
  expect(feedsSinks({ forward: nats, consume: null })).toBe(false);
  expect(feedsSinks({ forward: null, consume: nats })).toBe(true);
  expect(feedsSinks({ forward: nats, consume: nats })).toBe(true);
});
