/** What assistants and projectors see: their section, or the class without names, as a snapshot and live. */
import {
  addKey,
  revokeKey,
  setSection
} from '../../../src/relay/courses/editCourses.js';
import type { Change, Snapshot } from '../../../src/api/index.js';
import { dataPaths } from '../../../src/relay/files.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

const NAMES = ['ADA-LOVELACE', 'ALAN-TURING', 'GRACE-HOPPER', 'KATHERINE-J'];

let relay: TestRelay;
let sent = 0;
beforeEach(async () => {
  relay = await startTestRelay({ parts: { live: { heartbeatMs: 200 } } });
  await send(NAMES);
});
afterEach(async () => {
  await relay.remove();
});

async function send(names: readonly string[]): Promise<void> {
  const batch = names.flatMap(student => {
    const of = (event: string, properties: object): object => {
      sent += 1;
      return cellEvent(
        sent,
        { student, sess: `s-${student.slice(0, 6)}`, ...properties },
        { event, distinct_id: student }
      );
    };
    return [
      of('cell', {}),
      of('test', { ex: 'mean', ok: true, status: 'passed', try: 1 })
    ];
  });
  const answer = await relay.post({ api_key: relay.key, batch });
  expect([answer.status, answer.json['rejected']]).toEqual([200, undefined]);
}

async function keyOf(
  kind: 'display' | 'assistant' | 'instructor',
  section?: string
): Promise<{ id: string; secret: string }> {
  const { courses } = dataPaths(relay.folder);
  const { key, secret } = await addKey(courses, 'demo', { kind, section });
  return { id: key.id, secret };
}

/** The snapshot once it knows as many students as were sent. */
async function snapshotOf(secret: string, count: number): Promise<Snapshot> {
  return waitFor('the page knows all', async () => {
    const response = await fetch(`${relay.url}/api/v1/snapshot?course=demo`, {
      headers: { authorization: `Bearer ${secret}` }
    });
    const snapshot = (await response.json()) as Snapshot;
    return snapshot.coverage.events === 2 * count && snapshot;
  });
}

it('a projector shows the class and no name, in an order that tells none', async () => {
  const { secret } = await keyOf('display');
  const snapshot = await snapshotOf(secret, 4);
  const text = JSON.stringify(snapshot);
  for (const name of NAMES) {
    expect(text).not.toContain(name);
    expect(text).not.toContain(`s-${name.slice(0, 6)}`);
  }
  const labels = ['001', '002', '003', '004'].map(n => `Student ${n}`);
  expect(snapshot.students.map(({ student }) => student)).toEqual(labels);
  expect(snapshot.grid.map(({ student }) => student)).toEqual(labels);
  expect(snapshot.sessions.map(({ student }) => student).sort()).toEqual(
    labels
  );
  expect(new Set(snapshot.sessions.map(({ session }) => session)).size).toBe(4);
  // Another projector shows the same.
  const second = await snapshotOf((await keyOf('display')).secret, 4);
  expect(second.sessions).toEqual(snapshot.sessions);
  // Whoever may see names does.
  const all = await snapshotOf((await keyOf('instructor')).secret, 4);
  expect(all.students.map(({ student }) => student)).toEqual(NAMES);
});

it('an assistant sees the section, as it is now, and nobody where there is none', async () => {
  const { courses } = dataPaths(relay.folder);
  const { secret } = await keyOf('assistant', 'A');
  expect((await snapshotOf(secret, 4)).students).toEqual([]);
  await setSection(courses, 'demo', 'A', ['GRACE-HOPPER', 'NOBODY']);
  const snapshot = await waitFor('the section is known', async () => {
    const seen = await snapshotOf(secret, 4);
    return seen.students.length === 1 && seen;
  });
  for (const rows of [snapshot.students, snapshot.sessions, snapshot.grid]) {
    expect(rows.map(({ student }) => student)).toEqual(['GRACE-HOPPER']);
  }
  const odd = await keyOf('assistant', 'constructor');
  expect((await snapshotOf(odd.secret, 4)).students).toEqual([]);
});

it('the stream shows the same, and ends soon after its key was revoked', async () => {
  const { id, secret } = await keyOf('display');
  await snapshotOf(secret, 4);
  const response = await fetch(`${relay.url}/api/v1/live?course=demo`, {
    headers: { authorization: `Bearer ${secret}` }
  });
  const seen = { text: '' };
  const reading = (async () => {
    const reader = response.body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      seen.text += Buffer.from(value).toString();
    }
  })();
  await waitFor('it begins', () => seen.text.includes('event: snapshot'));
  await send(['LINUS-T']);
  const change = await waitFor('it goes on', () => {
    const found = /event: change\ndata: (.*Student 005.*)\n/.exec(seen.text);
    return found ? (JSON.parse(found[1]!) as Change) : false;
  });
  expect(change.students.map(({ student }) => student)).toEqual([
    'Student 005'
  ]);
  for (const name of [...NAMES, 'LINUS-T']) {
    expect(seen.text).not.toContain(name);
  }
  await revokeKey(dataPaths(relay.folder).courses, id);
  await reading;
});
