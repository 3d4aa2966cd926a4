/** What a course does not collect is never on disk: not in the log, not among the dead letters. */
import fc from 'fast-check';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { reduce } from '../../../src/relay/door/setAside.js';
import { compileRules } from '../../../src/relay/privacy/rules.js';
import { dataPaths } from '../../../src/relay/files.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

const CODE = 'print("CANARY-CODE")';
const ERR = 'ValueError: CANARY-MESSAGE';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

async function send(...events: unknown[]): Promise<void> {
  const answer = await relay.post({ api_key: relay.key, batch: events });
  expect(answer.status).toBe(200);
}

describe('at level outcomes', () => {
  beforeEach(async () => {
    relay = await startTestRelay({ level: 'outcomes' });
  });

  it('code and messages of good events go, the rest stays', async () => {
    await send(
      cellEvent(1, { code: CODE, err: ERR, status: 'error' }),
      cellEvent(2)
    );
    const [first, second] = await relay.events();
    expect(first!.payload).toMatchObject({
      code: null,
      err: 'ValueError',
      status: 'error',
      cell_id: 'mean'
    });
    expect(second!.payload).toMatchObject({ status: 'ok' });
    expect(await relay.everyByte()).not.toContain('CANARY');
  });

  it.each<[string, unknown]>([
    ['code and message', cellEvent(1, { ms: 'x', code: CODE, err: ERR })],
    ['code that is no text', cellEvent(1, { code: [CODE, { deep: CODE }] })],
    ['a message that is no text', cellEvent(1, { err: { text: ERR } })],
    ['properties that are text', { ...cellEvent(1), properties: CODE }],
    ['properties that are a list', { ...cellEvent(1), properties: [CODE] }],
    [
      'members beside the properties',
      { ...cellEvent(1, { ms: 'x' }), code: CODE }
    ],
    ['properties that no cell has', cellEvent(1, { ms: 'x', source: CODE })],
    ['no name', { ...cellEvent(1, { code: CODE }), event: undefined }],
    ['a text', CODE],
    ['a list', [CODE]]
  ])('nothing of a bad event with %s', async (_what, event) => {
    await send(event, cellEvent(2));
    await relay.relay.close();
    const bytes = await relay.everyByte();
    expect(bytes).toContain('"stage":"door"');
    expect(bytes).not.toContain('CANARY');
  });

  it.each([
    [
      'code',
      (json: string) => json.replace('"code":', `"code":"CANARY","code":`)
    ],
    ['err', (json: string) => json.replace('"err":', `"err":"CANARY","err":`)],
    [
      'properties',
      (json: string) =>
        json.replace(
          '"properties":',
          '"properties":{"code":"CANARY"},"properties":'
        )
    ],
    [
      'batch',
      (json: string) =>
        json.replace('"batch":', '"batch":[{"code":"CANARY"}],"batch":')
    ]
  ])('a first %s behind a second one goes', async (_what, twice) => {
    const body = JSON.stringify({ api_key: relay.key, batch: [cellEvent(1)] });
    expect((await relay.post(twice(body))).status).toBe(200);
    expect(await relay.events()).toHaveLength(1);
    expect(await relay.everyByte()).not.toContain('CANARY');
  });

  it('unknown members beside events and beside the batch go', async () => {
    await send({ ...cellEvent(1), note: CODE });
    await relay.post({
      api_key: relay.key,
      batch: [cellEvent(2)],
      comment: CODE
    });
    expect(await relay.events()).toHaveLength(2);
    expect(await relay.everyByte()).not.toContain('CANARY');
  });

  it('custom events keep their properties', async () => {
    await send({ ...cellEvent(1, { answer: 'forty-two' }), event: 'poll' });
    expect((await relay.events())[0]!.payload['answer']).toBe('forty-two');
  });
});

it('at level code, source and message are kept, but not at any length', async () => {
  relay = await startTestRelay({ level: 'code' });
  await send(
    cellEvent(1, {
      code: 'x'.repeat(2000),
      err: `ValueError: ${'y'.repeat(380)}`
    })
  );
  const [record] = await relay.events();
  expect(record!.payload['code']).toBe('x'.repeat(500));
  expect(record!.payload['err']).toHaveLength(200);
});

it('a course that changes its level changes what is kept at once', async () => {
  relay = await startTestRelay({ level: 'code' });
  await send(cellEvent(1, { code: 'first' }));
  await setCourse(dataPaths(relay.folder).courses, 'demo', {
    level: 'outcomes'
  });
  await waitFor('the relay knows the new level', async () => {
    const response = await fetch(`${relay.url}/api/v1/course`, {
      headers: { authorization: `Bearer ${relay.key}` }
    });
    return (await response.text()).includes('"level":"outcomes"');
  });
  await send(cellEvent(2, { code: 'second' }));
  expect((await relay.events()).map(({ payload }) => payload['code'])).toEqual([
    'first',
    null
  ]);
});

it('whatever a bad event is, it is cut to a size that can be kept', () => {
  relay = { remove: () => Promise.resolve() } as TestRelay;
  fc.assert(
    fc.property(
      fc.anything(),
      fc.constantFrom('outcomes' as const, 'code' as const, 'full' as const),
      (value, level) => {
        const raw = JSON.parse(JSON.stringify(value) ?? 'null') as unknown;
        const rules = compileRules({ level });
        expect(JSON.stringify(reduce(raw, rules)).length).toBeLessThan(
          10_000_000
        );
      }
    )
  );
});
