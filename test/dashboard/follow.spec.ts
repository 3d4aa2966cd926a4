/** Following a course's stream through everything that happens to a connection. */
import {
  follow,
  type FollowHost,
  type Link
} from '../../src/dashboard/live/follow.js';
import type { CoursesAnswer } from '../../src/dashboard/live/api.js';
import { createClassState } from '../../src/insights/index.js';

const RETRY_MS = 20;
const SILENCE_MS = 60;

/** What the browser's EventSource does, done by hand. */
class Source extends EventTarget {
  readonly CLOSED = 2;
  readyState = 0;

  constructor(readonly url: string) {
    super();
  }

  say(event: string, data: unknown): void {
    this.readyState = 1;
    this.dispatchEvent(
      new MessageEvent(event, {
        data: typeof data === 'string' ? data : JSON.stringify(data)
      })
    );
  }

  fail(readyState: 0 | 2): void {
    this.readyState = readyState;
    this.dispatchEvent(new Event('error'));
  }

  close(): void {
    this.readyState = this.CLOSED;
  }
}

let sources: Source[];
let links: Link[];
let told: string[];
let answer: CoursesAnswer;
let clock: number;
let stop: () => void;

const last = (): Source => sources[sources.length - 1]!;
const snapshot = createClassState({ course: 'a b&c', title: 'T' }).snapshot();
const pause = (ms: number): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, ms));

beforeEach(() => {
  sources = [];
  links = [];
  told = [];
  clock = 1000;
  answer = { kind: 'ok', courses: [] };
  const host: FollowHost = {
    open: url => {
      const source = new Source(url);
      sources.push(source);
      return source as unknown as EventSource;
    },
    probe: () => Promise.resolve(answer),
    now: () => clock,
    retryMs: RETRY_MS,
    silenceMs: SILENCE_MS
  };
  stop = follow(
    'a b&c',
    {
      onSnapshot: given => told.push(`snapshot ${given.course}`),
      onChange: given => told.push(`change ${given.coverage.events}`),
      onLink: link => links.push(link)
    },
    host
  );
});

afterEach(() => stop());

it('is live once there is a snapshot, and not before', () => {
  expect(last().url).toBe('api/v1/live?course=a%20b%26c');
  expect(links).toEqual([{ kind: 'connecting' }]);
  last().say('snapshot', snapshot);
  expect(links).toEqual([{ kind: 'connecting' }, { kind: 'live' }]);
  last().say('change', { ...snapshot, coverage: { events: 7 } });
  expect(told).toEqual(['snapshot a b&c', 'change 7']);
});

it('says since when it is reconnecting, however often it fails, until the next snapshot', () => {
  last().say('snapshot', snapshot);
  clock = 5000;
  last().fail(0);
  clock = 9000;
  last().fail(0);
  expect(links.slice(2)).toEqual([
    { kind: 'reconnecting', since: 5000 },
    { kind: 'reconnecting', since: 5000 }
  ]);
  last().say('snapshot', snapshot);
  clock = 12_000;
  last().fail(0);
  expect(links.slice(4)).toEqual([
    { kind: 'live' },
    { kind: 'reconnecting', since: 12_000 }
  ]);
  expect(sources).toHaveLength(1); // The browser itself comes back.
});

it('comes back by itself where the browser gives up', async () => {
  answer = { kind: 'unreachable' };
  last().fail(2);
  await pause(RETRY_MS * 2.5);
  expect(sources).toHaveLength(1);
  answer = { kind: 'ok', courses: [] };
  await pause(RETRY_MS * 3);
  expect(sources).toHaveLength(2);
  last().say('snapshot', snapshot);
  expect(links[links.length - 1]).toEqual({ kind: 'live' });
});

it('says that it is signed out, and notices a new login', async () => {
  answer = { kind: 'signed-out' };
  last().fail(2);
  await pause(RETRY_MS / 2);
  expect(links[links.length - 1]).toEqual({ kind: 'signed-out' });
  answer = { kind: 'ok', courses: [] };
  await pause(RETRY_MS * 4);
  expect(sources).toHaveLength(2);
});

it('takes a connection that falls silent for dead, if it ever pinged', async () => {
  last().say('snapshot', snapshot);
  await pause(SILENCE_MS * 1.5);
  expect(sources).toHaveLength(1);

  last().say('ping', '');
  await pause(SILENCE_MS * 1.5);
  expect(sources).toHaveLength(2);
  expect(sources[0]?.readyState).toBe(2);
  expect(links[links.length - 1]?.kind).toBe('reconnecting');
});

it('ignores messages that are none', () => {
  for (const text of ['', 'null', '[]', '{', '{"course":"x"}', '7']) {
    last().say('snapshot', text);
    last().say('change', text);
  }
  expect(told).toEqual([]);
  expect(links).toEqual([{ kind: 'connecting' }]);
});

it('ends when it is told to, also in the middle of coming back', async () => {
  last().fail(2);
  stop();
  stop();
  await pause(RETRY_MS * 3);
  expect(sources).toHaveLength(1);
  expect(last().readyState).toBe(2);
});
