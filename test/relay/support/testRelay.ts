/** A real relay within the test's own process: real disk, real HTTP on a free port, what it logs kept for looking at. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type {
  Properties,
  TelemetryRecord,
  WireEvent
} from '../../../src/events/index.js';
import { resolveConfig } from '../../../src/relay/config/resolve.js';
import {
  addCourse,
  type CourseChanges
} from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import { recordsOf } from '../../../src/relay/log/contents.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type { LogRecord } from '../../../src/relay/log/types.js';
import {
  startRelay,
  type Relay,
  type RelayParts
} from '../../../src/relay/relay.js';

export interface TestRelay {
  readonly folder: string;
  readonly url: string;
  readonly relay: Relay;
  /** Key of the course `demo`. */
  readonly key: string;
  /** Everything it logged so far. */
  logged(): string;
  addCourse(id: string, changes?: CourseChanges): Promise<string>;
  /** Posts a body; objects as JSON. */
  post(
    body: unknown,
    init?: { path?: string; headers?: Record<string, string> }
  ): Promise<Answer>;
  restart(): Promise<void>;
  /** Stops it and reads the log. */
  records(): Promise<LogRecord[]>;
  /** Events of the log as readers get them. */
  events(): Promise<ReadEvent[]>;
  /** Every file of the data folder as text. */
  everyByte(): Promise<string>;
  remove(): Promise<void>;
}

export type ReadEvent = TelemetryRecord & { payload: Properties };

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

/** Tests send faster than any class does. */
const NO_LIMITS = { 'address-rate': '0', 'key-rate': '0' };

export async function startTestRelay({
  level = 'outcomes',
  events,
  properties,
  flags = {},
  env = {},
  parts = {}
}: {
  level?: CourseChanges['level'];
  events?: CourseChanges['events'];
  properties?: CourseChanges['properties'];
  flags?: Record<string, string>;
  /** Variables of options that may be no flags. */
  env?: Record<string, string>;
  parts?: RelayParts;
} = {}): Promise<TestRelay> {
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-relay-'));
  const paths = dataPaths(folder);
  let logged = '';
  const logger = pino(
    { level: 'debug' },
    new Writable({
      write(chunk, _encoding, done) {
        logged += String(chunk);
        done();
      }
    })
  );
  const { secret } = await addCourse(paths.courses, 'demo', {
    title: 'Demo',
    ...(level ? { level } : {}),
    ...(events === undefined ? {} : { events }),
    ...(properties === undefined ? {} : { properties })
  });
  const { config } = resolveConfig({
    flags: { data: folder, port: '0', ...NO_LIMITS, ...flags },
    env
  });
  let relay = await startRelay(config, { logger, env: {}, ...parts });

  async function records(): Promise<LogRecord[]> {
    await relay.close();
    const log = await openSegmentLog({ dir: paths.log });
    const found: LogRecord[] = [];
    try {
      for await (const record of log.read(1)) {
        found.push(record);
      }
    } finally {
      await log.close();
    }
    return found;
  }

  return {
    folder,
    key: secret,
    get url() {
      return `http://127.0.0.1:${relay.port}`;
    },
    get relay() {
      return relay;
    },
    logged: () => logged,
    addCourse: async (id, changes) =>
      (await addCourse(paths.courses, id, { title: id, ...changes })).secret,
    async post(body, { path = '/batch/', headers = {} } = {}) {
      const raw =
        typeof body === 'string' || body instanceof Uint8Array
          ? body
          : JSON.stringify(body);
      const response = await fetch(`http://127.0.0.1:${relay.port}${path}`, {
        method: 'POST',
        body: raw as BodyInit,
        headers: { 'content-type': 'application/json', ...headers }
      });
      return read(response);
    },
    async restart() {
      await relay.close();
      relay = await startRelay(config, { logger, env: {}, ...parts });
    },
    records,
    events: async () =>
      (await records()).flatMap(record => recordsOf(record)) as ReadEvent[],
    async everyByte() {
      const entries = await readdir(folder, {
        recursive: true,
        withFileTypes: true
      });
      const texts = await Promise.all(
        entries
          .filter(entry => entry.isFile())
          .map(entry => readFile(join(entry.parentPath, entry.name), 'latin1'))
      );
      return texts.join('\n');
    },
    async remove() {
      await relay.close();
      await rm(folder, { recursive: true, force: true });
    }
  };
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not every answer is JSON; the test looks at the text then.
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** A valid `cell` event; its id counts up. */
export function cellEvent(
  n: number,
  properties: Record<string, unknown> = {},
  rest: Partial<WireEvent> = {}
): WireEvent {
  return {
    event: 'cell',
    distinct_id: 'ADA-LOVELACE',
    uuid: uuidOf(n),
    timestamp: new Date().toISOString(),
    properties: {
      nb: 'intro',
      sess: 'aB3dE5gH',
      student: 'ADA-LOVELACE',
      v: '0.1.0',
      src: 'lab',
      seq: n + 1,
      cell_id: 'mean',
      cell_num: n + 1,
      code: null,
      status: 'ok',
      ms: 12,
      err: null,
      ...properties
    },
    ...rest
  };
}

export function uuidOf(n: number): string {
  return `0190163d-8694-739b-aea5-${n.toString(16).padStart(12, '0')}`;
}
