/** Events that a course does not collect are acknowledged, counted, and on no disk: with a real relay. */
import { EVENT_NAMES, SELECTABLE_EVENTS } from '../../../src/events/index.js';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type Answer,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

const send = (...batch: unknown[]): Promise<Answer> =>
  relay.post({ api_key: relay.key, batch });

/** An event of the contract that says so in its id. */
function edit(n: number, properties: Record<string, unknown> = {}): unknown {
  return {
    ...cellEvent(n),
    event: 'edit',
    properties: {
      nb: 'intro',
      sess: 'aB3dE5gH',
      action: 'pasted',
      chars: 77,
      cell_id: 'CANARY',
      ...properties
    }
  };
}

/** The smallest event of each name that the contract lets in. */
function smallest(event: string, n: number): unknown {
  const own: Record<string, unknown> = {
    test: { ex: 'mean', ok: true },
    notebook: { action: 'opened' },
    kernel: { action: 'died' },
    focus: { ms: 5 },
    edit: { action: 'added' },
    ai_suggestion: { suggestion_id: 'x', outcome: 'shown' },
    ai_feature: { feature: 'chat' }
  };
  return {
    event,
    distinct_id: 'ADA-LOVELACE',
    uuid: uuidOf(n),
    properties: { nb: 'intro', sess: 'aB3dE5gH', ...(own[event] as object) }
  };
}

const names = async (): Promise<string[]> =>
  (await relay.events()).map(({ event }) => event);

it('what is not collected is acknowledged, and the rest of the body is kept', async () => {
  relay = await startTestRelay();
  const answer = await send(cellEvent(1), edit(2), edit(3), cellEvent(4));
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual({ status: 'Ok', not_collected: 2 });
  const records = await relay.events();
  expect(records.map(({ uuid }) => uuid)).toEqual([uuidOf(1), uuidOf(4)]);
  const bytes = await relay.everyByte();
  expect(bytes).toContain(uuidOf(4));
  expect(bytes).not.toContain('CANARY');
  expect(bytes).not.toContain(uuidOf(2));
  expect(relay.logged()).toMatch(
    /"count":2,"msg":"events not collected: demo, edit"/
  );
  expect(relay.logged()).not.toContain('set aside');
});

it('a body of nothing else is acknowledged, and leaves no record', async () => {
  relay = await startTestRelay();
  const answer = await send(edit(1));
  expect([answer.status, answer.json]).toEqual([
    200,
    { status: 'Ok', not_collected: 1 }
  ]);
  expect(await relay.records()).toEqual([]);
});

it.each([
  [
    'properties that are none',
    { ...(edit(1) as object), properties: 'CANARY' }
  ],
  ['a wrong property', edit(1, { action: 'CANARY' })],
  ['no student', { ...(edit(1) as object), distinct_id: undefined }]
])('nor do the dead letters keep one with %s', async (_what, event) => {
  relay = await startTestRelay();
  const answer = await send(event, cellEvent(2), cellEvent(3, { ms: 'x' }));
  expect(answer.json).toMatchObject({
    not_collected: 1,
    rejected: [{ index: 2, field: 'properties.ms' }]
  });
  await relay.relay.close();
  const bytes = await relay.everyByte();
  expect(bytes).toContain('"stage":"door"');
  expect(bytes).not.toContain('CANARY');
});

it.each(['outcomes', 'full'] as const)(
  'nor does one hide behind a second list at level %s',
  async level => {
    relay = await startTestRelay({ level });
    const body = JSON.stringify({ api_key: relay.key, batch: [cellEvent(1)] });
    const hidden = JSON.stringify(edit(2));
    for (const twice of [
      body.replace('"batch":', `"batch":[${hidden}],"batch":`),
      body
        .replace('"batch":', `"more":[${hidden}],"batch":`)
        .replace(uuidOf(1), uuidOf(3))
    ]) {
      expect((await relay.post(twice)).status).toBe(200);
    }
    expect(await names()).toEqual(['cell', 'cell']);
    expect(await relay.everyByte()).not.toContain('CANARY');
  }
);

it('bytes stay as they came where nothing was left out', async () => {
  relay = await startTestRelay({ events: 'default,-focus' });
  const body = { sent_at: new Date().toISOString(), batch: [cellEvent(1)] };
  await relay.post({ ...body, api_key: relay.key });
  const [record] = await relay.records();
  expect(JSON.parse(new TextDecoder().decode(record!.body))).toEqual({
    ...body,
    api_key: `${'*'.repeat(relay.key.length)}`
  });
});

it('a course collects just what it chose; consent, traces and custom events it always does', async () => {
  relay = await startTestRelay({ events: 'test' });
  const all = [...EVENT_NAMES, 'hint_opened', 'constructor'];
  const answer = await send(...all.map((name, n) => smallest(name, n + 1)));
  expect(answer.json).toEqual({
    status: 'Ok',
    not_collected: SELECTABLE_EVENTS.length - 1
  });
  expect(await names()).toEqual([
    'test',
    'command',
    'consent',
    'hint_opened',
    'constructor'
  ]);
});

it('all of them are kept where all are collected', async () => {
  relay = await startTestRelay({ events: 'all' });
  const answer = await send(
    ...SELECTABLE_EVENTS.map((name, n) => smallest(name, n + 1))
  );
  expect(answer.text).toBe('{"status":"Ok"}');
  expect(await names()).toEqual([...SELECTABLE_EVENTS]);
});

it('a running relay follows what the course collects', async () => {
  relay = await startTestRelay();
  const { courses } = dataPaths(relay.folder);
  await send(smallest('focus', 1), smallest('edit', 2));
  await setCourse(courses, 'demo', { events: '+edit,-focus' });
  await waitFor('the relay knows', async () => {
    const response = await fetch(`${relay.url}/api/v1/course`, {
      headers: { authorization: `Bearer ${relay.key}` }
    });
    return (await response.text()).includes('"edit"');
  });
  // What was not kept is no duplicate of anything.
  await send(smallest('focus', 3), smallest('edit', 2));
  expect(await names()).toEqual(['focus', 'edit']);
});
