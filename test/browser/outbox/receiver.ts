/** Stands where the Jupyter server stands: serves the tests' page and takes batches. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type ServerResponse
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WireEvent } from '../../../src/events/types.js';

/**
 * `open`: takes what comes. `busy`: 503. `shut`: connections are broken at once.
 * `slow`: takes what comes, and answers only when the weather changes.
 */
export type Weather = 'open' | 'busy' | 'shut' | 'slow';

/** Builds the page once; `close` removes it. */
export class Receiver {
  static async start(): Promise<Receiver> {
    const receiver = new Receiver(bundle());
    receiver._server.listen(0, '127.0.0.1');
    await once(receiver._server, 'listening');
    return receiver;
  }

  private constructor(private readonly _script: string) {}

  /** Every event taken, as often as it came. */
  readonly taken: WireEvent[] = [];
  /** Requests with batches, whatever became of them. */
  attempts = 0;

  get url(): string {
    return `http://127.0.0.1:${(this._server.address() as AddressInfo).port}/`;
  }

  get uuids(): string[] {
    return this.taken.map(event => event.uuid!);
  }

  set weather(weather: Weather) {
    this._weather = weather;
    this._held.splice(0).forEach(answer => answer());
  }

  async close(): Promise<void> {
    this._server.closeAllConnections();
    this._server.close();
    await once(this._server, 'close');
  }

  private async _answer(
    request: IncomingMessage,
    response: ServerResponse
  ): Promise<void> {
    if (request.method !== 'POST') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(
        request.url?.endsWith('.js')
          ? this._script
          : '<!doctype html><title>outbox</title><script src="/page.js"></script>'
      );
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    this.attempts += 1;
    if (this._weather === 'shut') {
      request.socket.destroy();
      return;
    }
    if (this._weather === 'busy') {
      response.writeHead(503).end();
      return;
    }
    const body = Buffer.concat(chunks).toString('utf8');
    this.taken.push(...(JSON.parse(body) as { batch: WireEvent[] }).batch);
    if (this._weather === 'slow') {
      await new Promise<void>(resolve => this._held.push(resolve));
    }
    response.end('{}');
  }

  private _weather: Weather = 'open';
  private _held: (() => void)[] = [];
  private _server = createServer((request, response) => {
    this._answer(request, response).catch(() => request.socket.destroy());
  });
}

function bundle(): string {
  const root = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-outbox-'));
  try {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules', 'vite', 'bin', 'vite.js'),
        'build',
        '--config',
        join(root, 'test', 'browser', 'outbox', 'vite.config.mjs')
      ],
      { env: { ...process.env, OUT_DIR: folder }, encoding: 'utf8' }
    );
    if (status !== 0) {
      throw new Error(`the page could not be built: ${stderr}`);
    }
    return readFileSync(join(folder, 'page.js'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
