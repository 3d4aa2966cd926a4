/** The instructors' answers and their stream, as a browser gets them. */
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change, Snapshot } from '../../../src/api/index.js';
import { LiveStreams } from '../../../src/relay/api/live.js';
import type { InsightsSink } from '../../../src/sinks/index.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

interface Message {
  event: string;
  data: unknown;
}

/** Reads server-sent events until it is stopped. */
async function readStream(
  url: string,
  cookie: string
): Promise<{
  status: number;
  headers: Headers;
  messages: Message[];
  ended: () => boolean;
  stop: () => void;
}> {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: { cookie },
    signal: abort.signal
  });
  const messages: Message[] = [];
  let ended = false;
  void (async () => {
    let text = '';
    const decoder = new TextDecoder();
    const reader = response.body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      text += decoder.decode(value, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop()!;
      for (const part of parts) {
        const event = /^event: (.*)$/m.exec(part)?.[1];
        const data = /^data: (.*)$/m.exec(part)?.[1];
        if (event !== undefined && data !== undefined) {
          messages.push({ event, data: JSON.parse(data) });
        }
      }
    }
    ended = true;
  })().catch(() => {
    ended = true;
  });
  return {
    status: response.status,
    headers: response.headers,
    messages,
    ended: () => ended,
    stop: () => abort.abort()
  };
}

describe('with a relay', () => {
  let relay: TestRelay;
  let cookie: string;

  beforeEach(async () => {
    relay = await startTestRelay({ parts: { live: { heartbeatMs: 100 } } });
    const response = await fetch(await relay.relay.loginLink(), {
      redirect: 'manual'
    });
    cookie = response.headers.get('set-cookie')!.split(';')[0]!;
  });
  afterEach(async () => {
    await relay.remove();
  });

  const get = (path: string): Promise<Response> =>
    fetch(`${relay.url}${path}`, { headers: { cookie } });
  const live = (): ReturnType<typeof readStream> =>
    readStream(`${relay.url}/api/v1/live?course=demo`, cookie);
  const test = (n: number, ok: boolean): unknown => ({
    ...cellEvent(n),
    event: 'test',
    properties: {
      nb: 'intro',
      sess: 'aB3dE5gH',
      student: 'ADA-LOVELACE',
      seq: n,
      ex: 'mean',
      ok,
      try: n
    }
  });

  it('the courses are listed, and a snapshot is to be had of each', async () => {
    await relay.addCourse('other');
    await waitFor('both are listed', async () => {
      const courses = (await (await get('/api/v1/courses')).json()) as object[];
      return courses.length === 2;
    });
    expect(await (await get('/api/v1/courses')).json()).toEqual([
      { course: 'demo', title: 'Demo' },
      { course: 'other', title: 'other' }
    ]);
    const snapshot = (await (
      await get('/api/v1/snapshot?course=other')
    ).json()) as Snapshot;
    expect(snapshot).toMatchObject({ course: 'other', students: [] });
  });

  it.each(['/api/v1/snapshot', '/api/v1/live'])(
    '%s of a course that is not there says so',
    async path => {
      for (const query of [
        '',
        '?course=zebra',
        '?course=__proto__',
        '?course=a&course=b'
      ]) {
        const response = await get(path + query);
        expect(response.status).toBe(404);
        expect(await response.json()).toMatchObject({ code: 'unknown_course' });
      }
    }
  );

  it('a stream begins with a snapshot, and tells each change and that it lives', async () => {
    await relay.post({ api_key: relay.key, batch: [test(1, false)] });
    const stream = await live();
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(stream.headers.get('cache-control')).toBe('no-store');
    await waitFor('the snapshot is there', () => stream.messages.length > 0);
    expect(stream.messages[0]!.event).toBe('snapshot');
    expect(stream.messages[0]!.data).toMatchObject({ course: 'demo' });
    const began = performance.now();
    await relay.post({ api_key: relay.key, batch: [test(2, true)] });
    const change = await waitFor('the pass is told', () =>
      stream.messages.find(
        ({ event, data }) =>
          event === 'change' && (data as Change).grid[0]?.state === 'passed'
      )
    );
    expect(performance.now() - began).toBeLessThan(5_000);
    expect((change.data as Change).grid).toMatchObject([
      { student: 'ADA-LOVELACE', exercise: 'mean', attempts: 2 }
    ]);
    const pings = (): number =>
      stream.messages.filter(({ event }) => event === 'ping').length;
    await waitFor('it says that it lives', () => pings() >= 3);
    stream.stop();
  });

  it('streams end when the relay stops, and do not hold it up', async () => {
    const streams = await Promise.all([live(), live(), live()]);
    const began = performance.now();
    await relay.relay.close();
    expect(performance.now() - began).toBeLessThan(5_000);
    await waitFor('all have ended', () => streams.every(one => one.ended()));
  });
});

describe('a reader that stops reading', () => {
  /** A stream of a sink whose changes the test sends, and a client that reads nothing. */
  async function stalled(options: {
    heartbeatMs: number;
    maxWaitingBytes: number;
  }): Promise<{
    response: ServerResponse;
    send: (change: object) => void;
    unsubscribed: () => boolean;
    end: () => Promise<void>;
  }> {
    let listener: ((change: Change) => void) | undefined;
    const insights = {
      subscribe: (_course: string, own: (change: Change) => void) => {
        listener = own;
        return () => {
          listener = undefined;
        };
      },
      snapshot: () => ({ course: 'demo' })
    } as unknown as InsightsSink;
    const streams = new LiveStreams(options);
    let response: ServerResponse | undefined;
    const server = createServer((_request, answer) => {
      response = answer;
      answer.writeHead(200);
      streams.stream(answer, insights, 'demo');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the stream is open', () => listener);
    return {
      response: response!,
      send: change => listener?.(change as Change),
      unsubscribed: () => listener === undefined,
      end: async () => {
        socket.destroy();
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    };
  }
  const MEGABYTE = { text: 'x'.repeat(1024 * 1024) };

  it('is let go of when too much waits for it', async () => {
    const reader = await stalled({
      heartbeatMs: 60_000,
      maxWaitingBytes: 2 * 1024 * 1024
    });
    let most = 0;
    for (let i = 0; i < 50 && !reader.unsubscribed(); i += 1) {
      reader.send(MEGABYTE);
      most = Math.max(most, reader.response.writableLength);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(reader.unsubscribed()).toBe(true);
    expect(most).toBeLessThan(4 * 1024 * 1024);
    await reader.end();
  });

  it('is let go of when little waits, but for long', async () => {
    const reader = await stalled({
      heartbeatMs: 100,
      maxWaitingBytes: 1024 * 1024 * 1024
    });
    // More than the system's buffers hold, so that some of it waits here.
    for (let i = 0; i < 16; i += 1) {
      reader.send(MEGABYTE);
    }
    await waitFor('it is let go of', reader.unsubscribed);
    await reader.end();
  });
});

describe('the page', () => {
  let folder: string;
  let relay: TestRelay;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-page-'));
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><p>page');
    await writeFile(join(folder, 'assets', 'index-abc.js'), 'export {}');
    await writeFile(join(folder, 'notes.txt'), 'not for browsers');
    relay = await startTestRelay({ parts: { pageFolder: folder } });
  });
  afterEach(async () => {
    await relay.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('comes with its files, under a policy that lets nothing else in', async () => {
    const page = await fetch(relay.url);
    expect([page.status, await page.text()]).toEqual([
      200,
      '<!doctype html><p>page'
    ]);
    const policy = page.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    const script = await fetch(`${relay.url}/assets/index-abc.js`);
    expect(script.headers.get('content-type')).toContain('text/javascript');
    expect(script.headers.get('cache-control')).toContain('immutable');
  });

  it.each([
    '/notes.txt',
    '/assets/',
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2fpackage.json',
    '/assets/..%2f..%2fpackage.json',
    '/courses.json',
    '/%',
    '/%00',
    '/constructor'
  ])('nothing else is at %s', async path => {
    const answer = await new Promise<string>((resolve, reject) => {
      // A raw request: fetch would tidy the path up.
      const socket = connect(relay.relay.port, '127.0.0.1', () => {
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
        );
      });
      let text = '';
      socket.on('data', chunk => (text += String(chunk)));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toContain('"code":"not_found"');
  });

  it('says how to build it where it is not built', async () => {
    await relay.remove();
    relay = await startTestRelay({ parts: { pageFolder: join(folder, 'no') } });
    const page = await fetch(relay.url);
    expect(page.status).toBe(503);
    expect(await page.text()).toContain('npm run build');
  });
});
