/**
 * A gate between the notebooks and the relay: keeps its address while the relay comes and
 * goes, can fail in the ways networks fail, and remembers what passed.
 */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type ServerResponse
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { WireEvent } from '../../../src/events/types.js';

/**
 * `open`: everything passes. `shut`: connections are broken at once. `busy`: 503.
 * `mute`: requests pass, but their answers are lost on the way back.
 */
export type Weather = 'open' | 'shut' | 'busy' | 'mute';

export class Gate {
  /** A gate on a free port; nothing stands behind it yet. */
  static async build(): Promise<Gate> {
    const gate = new Gate();
    gate._server.listen(0, '127.0.0.1');
    await once(gate._server, 'listening');
    return gate;
  }

  private constructor() {}

  /** Where requests go on to. */
  target = '';
  weather: Weather = 'open';
  /** Every event that the relay answered with 200, as often as it came. */
  readonly passed: WireEvent[] = [];

  get url(): string {
    return `http://127.0.0.1:${(this._server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this._server.closeAllConnections();
    this._server.close();
    await once(this._server, 'close');
  }

  private async _take(
    request: IncomingMessage,
    response: ServerResponse
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const body = Buffer.concat(chunks);
    if (this.weather === 'shut') {
      request.socket.destroy();
      return;
    }
    if (this.weather === 'busy') {
      response.writeHead(503, { 'Retry-After': '1' }).end('{}');
      return;
    }
    try {
      const headers = { ...request.headers };
      for (const name of ['host', 'connection', 'content-length', 'expect']) {
        delete headers[name];
      }
      const answer = await fetch(this.target + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: headers as Record<string, string>,
        ...(body.length > 0 ? { body } : {})
      });
      const text = await answer.text();
      if (answer.status === 200 && request.method === 'POST') {
        this.passed.push(...eventsIn(request, body));
      }
      if ((this.weather as Weather) === 'mute') {
        request.socket.destroy();
        return;
      }
      const back: Record<string, string> = {};
      for (const name of ['content-type', 'etag', 'retry-after']) {
        const value = answer.headers.get(name);
        if (value !== null) {
          back[name] = value;
        }
      }
      response.writeHead(answer.status, back).end(text);
    } catch {
      request.socket.destroy(); // No relay behind the gate just now.
    }
  }

  private _server = createServer((request, response) => {
    this._take(request, response).catch(() => request.socket.destroy());
  });
}

function eventsIn(request: IncomingMessage, body: Buffer): WireEvent[] {
  const plain =
    request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  return (JSON.parse(plain.toString('utf8')) as { batch: WireEvent[] }).batch;
}
