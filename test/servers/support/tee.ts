/**
 * Stands between a client and the relay, passes everything on byte by byte, and knows by
 * PostHog's own rules what the client sent.
 */
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import {
  CAPTURE_PATHS,
  decode,
  openBody
} from '../../support/posthog-rules.mjs';

/** An event as a client sent it. */
export interface SentEvent {
  event: string;
  distinct_id: string;
  /** Null where the client gave none. */
  uuid: string | null;
  properties: Record<string, unknown>;
  /** By the client's clock, in ms since 1970; null where it told none. */
  time: number | null;
  /** How far the stored time may be from it: the relay cannot tell a slow line from a wrong clock. */
  toleranceMs: number;
}

/** One request and how it was answered. */
export interface Passed {
  method: string;
  url: string;
  status: number;
}

export interface Tee {
  readonly url: string;
  sent(): SentEvent[];
  passed(): Passed[];
  close(): Promise<void>;
}

interface V1Event {
  event: string;
  distinct_id: string;
  uuid: string;
  timestamp: string;
  session_id?: string;
  options?: { process_person_profile?: boolean };
  properties: Record<string, unknown>;
}

const V1 = '/i/v1/analytics/events';

/** Starts one in front of `target`. */
export async function startTee(target: string): Promise<Tee> {
  const sent: SentEvent[] = [];
  const passed: Passed[] = [];
  const server = createServer((from, to) => {
    void (async () => {
      const body = await bodyOf(from);
      const url = new URL(from.url ?? '/', target);
      const onward = request(
        url,
        { method: from.method, headers: { ...from.headers, host: url.host } },
        answer => {
          const status = answer.statusCode ?? 0;
          passed.push({
            method: from.method ?? '',
            url: from.url ?? '',
            status
          });
          if (status === 200 || status === 204) {
            sent.push(...eventsOf(from, url, body));
          }
          to.writeHead(status, answer.rawHeaders);
          answer.pipe(to);
        }
      );
      onward.on('error', () => to.destroy());
      onward.end(body);
    })();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    passed: () => passed,
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    }
  };
}

async function bodyOf(from: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function eventsOf(from: IncomingMessage, url: URL, body: Buffer): SentEvent[] {
  const path = url.pathname.replace(/(?<=.)\/$/, '');
  if (from.method === 'OPTIONS' || (!CAPTURE_PATHS.has(path) && path !== V1)) {
    return [];
  }
  return path === V1 ? v1Events(from, body) : v0Events(from, url, path, body);
}

function v0Events(
  from: IncomingMessage,
  url: URL,
  path: string,
  body: Buffer
): SentEvent[] {
  const parsed = decode({
    path,
    query: url.searchParams,
    contentType: from.headers['content-type'] ?? '',
    contentEncoding: from.headers['content-encoding'] ?? '',
    body
  });
  const raw = rawEvents(parsed);
  const { sentAt, events } = openBody(parsed, path);
  const ms = url.searchParams.get('_');
  const clock = sentAt ? Date.parse(sentAt) : ms ? Number(ms) : null;
  return events.map((event, i) => {
    const { timestamp, offset } = event;
    const time =
      offset !== undefined && clock !== null
        ? clock - offset
        : timestamp === undefined
          ? null
          : Date.parse(timestamp);
    return {
      event: event.event,
      distinct_id: event.distinct_id,
      uuid: raw[i]!['uuid'] ? event.uuid : null,
      properties: event.properties,
      time,
      toleranceMs: toleranceOf(clock)
    };
  });
}

function v1Events(from: IncomingMessage, body: Buffer): SentEvent[] {
  const text =
    from.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  const { batch } = JSON.parse(text.toString('utf8')) as {
    batch: V1Event[];
  };
  const [lib, version] = String(from.headers['posthog-sdk-info']).split('/');
  const clock = Date.parse(String(from.headers['posthog-request-timestamp']));
  return batch.map(event => ({
    event: event.event,
    distinct_id: event.distinct_id,
    uuid: event.uuid,
    properties: {
      ...event.properties,
      $lib: lib,
      $lib_version: version,
      ...(event.options?.process_person_profile === undefined
        ? {}
        : {
            $process_person_profile: event.options.process_person_profile
          }),
      ...(event.session_id ? { $session_id: event.session_id } : {})
    },
    time: Date.parse(event.timestamp),
    toleranceMs: toleranceOf(clock)
  }));
}

function rawEvents(parsed: unknown): Record<string, unknown>[] {
  const value = parsed as Record<string, unknown>;
  const list = Array.isArray(parsed) ? parsed : (value['batch'] ?? [value]);
  return (list as Record<string, unknown>[]).filter(
    ({ event }) => event !== '$performance_event'
  );
}

function toleranceOf(clock: number | null): number {
  const transit = clock === null ? 0 : Date.now() - clock;
  return transit < 900 ? 0 : transit + 1000;
}
