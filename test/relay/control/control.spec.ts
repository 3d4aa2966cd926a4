import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { callRelay } from '../../../src/relay/control/client.js';
import type { Operations } from '../../../src/relay/control/control.js';
import {
  openControlSocket,
  type ControlSocket
} from '../../../src/relay/control/server.js';

let folder: string;
let address: string;
let socket: ControlSocket | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-test-'));
  address = join(folder, 'relay.json');
});

afterEach(async () => {
  await socket?.close();
  socket = undefined;
  await rm(folder, { recursive: true });
});

async function open(operations: Operations): Promise<void> {
  socket = await openControlSocket(operations);
  await writeFile(address, JSON.stringify({ control: socket.path }));
}

test('an operation gets its arguments, tells its progress and answers', async () => {
  await open({
    add: async (args, progress) => {
      const { numbers } = args as { numbers: number[] };
      numbers.forEach((_, done) => progress({ done }));
      return numbers.reduce((sum, number) => sum + number, 0);
    }
  });
  const seen: object[] = [];
  const answer = await callRelay(
    { address },
    'add',
    { numbers: [1, 2, 39] },
    line => seen.push(line)
  );
  expect(answer).toEqual({ running: true, result: 42 });
  expect(seen).toEqual([{ done: 0 }, { done: 1 }, { done: 2 }]);
});

test('what an operation refuses is said as it said it', async () => {
  await open({
    fail: () => Promise.reject(new Error('expected a course. Name one.'))
  });
  await expect(callRelay({ address }, 'fail')).rejects.toThrow(
    'expected a course. Name one.'
  );
});

test('an operation that this relay does not have is no crash', async () => {
  await open({});
  for (const name of ['missing', 'toString', '__proto__']) {
    await expect(callRelay({ address }, name)).rejects.toThrow(
      'knows no operation'
    );
  }
});

test('without a relay, or after one that was killed, the command is told so', async () => {
  expect(await callRelay({ address }, 'any')).toEqual({ running: false });
  await writeFile(address, JSON.stringify({ control: join(folder, 'gone') }));
  expect(await callRelay({ address }, 'any')).toEqual({ running: false });
  await writeFile(address, 'not JSON');
  expect(await callRelay({ address }, 'any')).toEqual({ running: false });
});

test('a relay that stops in the middle ends the operation, and the command learns it', async () => {
  let aborted = false;
  await open({
    wait: (_args, progress, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('the relay is stopping'));
        });
        progress({});
      })
  });
  const answer = callRelay({ address }, 'wait', {}, () => void socket!.close());
  await expect(answer).rejects.toThrow('the relay is stopping');
  expect(aborted).toBe(true);
});

test('a command that goes away ends its operation', async () => {
  const ended = new Promise<void>(resolve => {
    void open({
      wait: (_args, progress, signal) => {
        signal.addEventListener('abort', () => resolve());
        progress({});
        return new Promise(() => undefined);
      }
    }).then(async () => {
      const { request } = await import('node:http');
      const call = request(
        { socketPath: socket!.path, path: '/wait', method: 'POST' },
        response => response.once('data', () => call.destroy())
      );
      call.on('error', () => undefined);
      call.end('{}');
    });
  });
  await ended;
  // It ends by the signal only; nothing waits for what never settles.
  const abandoned = socket!;
  socket = undefined;
  void abandoned.close();
});

test('nobody else may enter the folder of the socket, and it goes with the relay', async () => {
  await open({});
  const place = dirname(socket!.path);
  expect(statSync(place).mode & 0o777).toBe(0o700);
  await socket!.close();
  expect(existsSync(place)).toBe(false);
});
