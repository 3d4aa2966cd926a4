/** Courses and their PostHog projects: what goes wrong for one course holds up no other. */
import { createMemorySink, type MemorySink } from '../../src/sinks/index.js';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from './support/testRelay.js';

let relay: TestRelay;
let project: MemorySink;

beforeEach(async () => {
  project = createMemorySink({ name: 'posthog-test' });
  relay = await startTestRelay({
    flags: {
      'posthog-key': 'phc_test',
      'posthog-host': 'http://127.0.0.1:9'
    },
    parts: { createPostHogSink: () => project }
  });
});

afterEach(() => relay.remove());

it('delivers the other courses where one lacks its key', async () => {
  const broken = await relay.addCourse('broken', {
    posthog: { host: 'http://127.0.0.1:9', apiKeyEnv: 'NOT_SET_ANYWHERE' }
  });
  const post = (api_key: string, n: number) =>
    relay.post({ api_key, batch: [cellEvent(n)] });
  expect((await post(broken, 1)).status).toBe(200);
  expect((await post(relay.key, 2)).status).toBe(200);
  await waitFor('the event of the sound course', () =>
    project.records().length === 1 ? true : undefined
  );
  expect(project.records()[0]).toMatchObject({ course: 'demo' });
  expect(relay.logged()).toContain('NOT_SET_ANYWHERE, which is not set');
});
