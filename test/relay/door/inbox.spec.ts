/** Courses where nothing is ever removed may have their bodies acknowledged first and judged afterwards: with a real relay. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  newCourse,
  type Course
} from '../../../src/relay/courses/courseFile.js';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { createDuplicateWindow } from '../../../src/relay/door/duplicates.js';
import { openInbox, type Inbox } from '../../../src/relay/door/inbox.js';
import { dataPaths } from '../../../src/relay/files.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type { DeadLetter } from '../../../src/relay/pipeline/deadLetters.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../support/testRelay.js';

describe('at a relay', () => {
  let relay: TestRelay;

  beforeEach(async () => {
    relay = await startTestRelay({ level: 'full', events: 'all' });
    await setCourse(dataPaths(relay.folder).courses, 'demo', {
      ack: 'durable'
    });
    await waitFor('the setting holds', async () => {
      await relay.post({ api_key: relay.key, batch: [cellEvent(0)] });
      return existsSync(dataPaths(relay.folder).inbox);
    });
  });
  afterEach(() => relay.remove());

  const inLog = async (): Promise<(string | undefined)[]> =>
    (await relay.events()).map(({ uuid }) => uuid);

  it('events come into the log once, whatever carries them', async () => {
    const body = { api_key: relay.key, batch: [cellEvent(1), cellEvent(2)] };
    expect((await relay.post(body)).json).toEqual({ status: 'Ok' });
    // Sent again, and packed.
    const packed = await fetch(`${relay.url}/batch/`, {
      method: 'POST',
      body: gzipSync(
        JSON.stringify({
          api_key: relay.key,
          batch: [cellEvent(2), cellEvent(3)]
        })
      )
    });
    expect(packed.status).toBe(200);
    await waitFor(
      'all are judged',
      async () => (await relay.relay.readiness()).log!.last >= 3
    );
    expect(await inLog()).toEqual([0, 1, 2, 3].map(uuidOf));
  });

  it('what nobody can read is acknowledged, and set aside afterwards', async () => {
    const answer = await relay.post(`{"api_key": "${relay.key}", "batch": [`);
    expect(answer.status).toBe(200);
    await relay.post({
      api_key: relay.key,
      batch: [{ event: 'cell' }, cellEvent(1)]
    });
    await waitFor('both are set aside', async () =>
      /not_json[^]*missing|missing[^]*not_json/.test(await relay.everyByte())
    );
    expect(await relay.everyByte()).not.toContain(relay.key);
    expect(await inLog()).toEqual([0, 1].map(uuidOf));
  });

  it('a key that is not known, or revoked, lets nothing in', async () => {
    const stranger = `nbt_${'A'.repeat(32)}`;
    expect(
      (await relay.post({ api_key: stranger, batch: [cellEvent(1)] })).status
    ).toBe(401);
  });

  it.each([
    ['level', { level: 'outcomes' as const }],
    ['events', { events: 'default' }],
    ['properties', { properties: 'ex,ok' }],
    ['students', { students: 'verified' as const }]
  ])(
    'is refused where events have to be looked into: %s',
    async (what, changes) => {
      await expect(
        setCourse(dataPaths(relay.folder).courses, 'demo', changes)
      ).rejects.toThrow(new RegExp(`ack: expected validated.*${what}`, 's'));
    }
  );
});

describe('by itself', () => {
  let folder: string;
  let inbox: Inbox | undefined;
  const course: Course = {
    ...newCourse('demo', 'Demo'),
    level: 'full',
    ack: 'durable'
  };
  const key = { id: 'k_1' } as never;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inbox-'));
  });
  afterEach(async () => {
    await inbox?.close();
    inbox = undefined;
    await rm(folder, { recursive: true });
  });

  async function open(
    append: () => Promise<number>,
    duplicates = createDuplicateWindow({ days: 7 })
  ): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    inbox = await openInbox({
      dir: join(folder, 'inbox'),
      place: join(folder, 'inbox.json'),
      guard: log => log,
      intake: {
        log: { append, flushed: () => Promise.resolve() },
        deadLetters: {
          put: more => Promise.resolve(void letters.push(...more))
        },
        courses: {
          holderOf: () => ({ kind: 'unknown' }),
          course: id => (id === 'demo' ? course : undefined)
        },
        duplicates
      },
      onProblem: () => undefined
    });
    return letters;
  }

  const put = (n: number, id = 'demo'): Promise<void> =>
    inbox!.put(Buffer.from(JSON.stringify({ batch: [cellEvent(n)] })), {
      course: { ...course, id },
      key,
      receivedMs: Date.parse('2026-11-21T09:30:00.000Z')
    });

  it('bodies that were not judged before an end are judged after the next start, and then gone', async () => {
    await open(() => Promise.reject(new Error('the disk is full')));
    await put(1);
    await put(2);
    expect(inbox!.waiting()).toBe(2);
    await inbox!.close();

    const kept: number[] = [];
    let seq = 0;
    await open(() => Promise.resolve(kept.push((seq += 1))));
    await inbox!.empty();
    expect(kept).toHaveLength(2);
    expect(inbox!.waiting()).toBe(0);
    await inbox!.close();
    const log = await openSegmentLog({ dir: join(folder, 'inbox') });
    const left = [];
    for await (const record of log.read(1)) {
      left.push(record);
    }
    await log.close();
    expect(left).toEqual([]);
  });

  it('what was judged before a crash, and not noted, counts once', async () => {
    const duplicates = createDuplicateWindow({ days: 7 });
    duplicates.add('demo', uuidOf(1), Date.now());
    const kept: number[] = [];
    await open(() => Promise.resolve(kept.push(1)), duplicates);
    await put(1);
    await put(2);
    await inbox!.empty();
    expect(kept).toHaveLength(1);
  });

  it('a body of a course that is gone is set aside', async () => {
    const letters = await open(() => Promise.resolve(1));
    await put(1, 'gone');
    await inbox!.empty();
    expect(letters.map(({ code, course: id }) => [code, id])).toEqual([
      ['unknown_course', 'gone']
    ]);
  });
});
