/** What the log's tests share: headers, bodies that know who they are, folders that go away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  EventLog,
  LogRecord,
  RecordHeader
} from '../../../src/relay/log/types.js';

/** A header such as the door writes. */
export function header(n = 1): RecordHeader {
  return {
    v: 1,
    at: '2026-11-21T09:30:00.000Z',
    course: 'demo',
    key: 'k1',
    skew: 0,
    n
  };
}

/** A body that carries `id` and is at least `size` bytes long. */
export function body(id: number | string, size = 0): Buffer {
  const text = `{"id":"${id}","fill":"`;
  return Buffer.from(`${text}${'x'.repeat(Math.max(0, size - text.length))}"}`);
}

/** The id that `body` put in. */
export function idOf({ body: bytes }: Pick<LogRecord, 'body'>): string {
  return (JSON.parse(Buffer.from(bytes).toString()) as { id: string }).id;
}

/** All records from `from` on. */
export async function readAll(log: EventLog, from = 1): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read(from)) {
    records.push(record);
  }
  return records;
}

/** Folders for one test file. Call `remove` after all tests. */
export function folders(): {
  make(): Promise<string>;
  remove(): Promise<void>;
} {
  const made: string[] = [];
  return {
    async make() {
      const folder = await mkdtemp(join(tmpdir(), 'relay-test-'));
      made.push(folder);
      return folder;
    },
    async remove() {
      await Promise.all(
        made.map(folder => rm(folder, { recursive: true, force: true }))
      );
    }
  };
}
