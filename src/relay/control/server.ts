/** The control socket: lets commands of the same user ask the running relay to act on the data that it holds. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type ServerResponse
} from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { ControlLine, Operations } from './control.js';

/** How long closing waits for operations that were told to end, in ms. */
const GRACE_MS = 5_000;

/** An open control socket. */
export interface ControlSocket {
  /** Where it is; the relay notes it in its address file. */
  readonly path: string;
  /** Takes no more requests, aborts those at work and waits for them, not for ever. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the socket in a folder of its own that only this user may enter: what the system checks
 * needs no password. It is not in the data folder, whose path may be longer than sockets allow.
 */
export async function openControlSocket(
  operations: Operations,
  onError: (error: unknown) => void = () => undefined
): Promise<ControlSocket> {
  const { folder, path } = await placeForSocket();
  const working = new Set<Promise<void>>();
  const closing = new AbortController();
  const server = createServer((request, response) => {
    const work = answer(request, response, operations, closing.signal)
      .catch(onError)
      .finally(() => working.delete(work));
    working.add(work);
  });
  // An operation may take as long as it needs.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();

  let closed: Promise<void> | undefined;
  return {
    path,
    close() {
      closed ??= (async () => {
        closing.abort();
        server.close();
        await Promise.race([
          Promise.all(working),
          pause(GRACE_MS, undefined, { ref: false })
        ]);
        server.closeAllConnections();
        if (folder !== null) {
          await rm(folder, { recursive: true, force: true });
        }
      })();
      return closed;
    }
  };
}

async function placeForSocket(): Promise<{
  folder: string | null;
  path: string;
}> {
  if (process.platform === 'win32') {
    const name = `ipynb-telemetry-${randomBytes(16).toString('hex')}`;
    return { folder: null, path: `\\\\.\\pipe\\${name}` };
  }
  // mkdtemp makes folders that are closed to other users.
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-'));
  return { folder, path: join(folder, 'control.sock') };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  operations: Operations,
  closing: AbortSignal
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const send = (line: ControlLine): void => {
    if (!response.destroyed) {
      response.write(`${JSON.stringify(line)}\n`);
    }
  };
  const name = (request.url ?? '').slice(1);
  try {
    const body = await text(request);
    const operation = Object.hasOwn(operations, name)
      ? operations[name]
      : undefined;
    if (!operation) {
      throw new Error(
        `the running relay knows no operation ${JSON.stringify(name)}; it may be of another version than this command. Start it again.`
      );
    }
    const result = await operation(
      JSON.parse(body),
      progress => send({ progress }),
      AbortSignal.any([gone.signal, closing])
    );
    send({ result: result ?? null });
  } catch (error) {
    send({ error: error instanceof Error ? error.message : String(error) });
  }
  response.end();
}
