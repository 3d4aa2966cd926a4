/** Feeds every reader of the log: the instructors' page, and each PostHog project that courses name. */
import type { SinkStatus } from '../api/index.js';
import type { InsightsSink, PostHogSinkOptions, Sink } from '../sinks/index.js';
import type { CourseStore } from './courses/courseStore.js';
import {
  destinationsOf,
  goesTo,
  placesOf,
  type Destination,
  type Project
} from './destinations.js';
import type { EventLog } from './log/types.js';
import { memoryCursor, type Cursor } from './pipeline/cursor.js';
import { openCursors, type Cursors } from './pipeline/cursors.js';
import type { DeadLetters } from './pipeline/deadLetters.js';
import { startFeeder, type Feeder } from './pipeline/feeder.js';

/** What the feeders need. */
export interface FeedersOptions {
  log: EventLog;
  deadLetters: DeadLetters;
  courses: CourseStore;
  insights: InsightsSink;
  /** Folder of the cursors. */
  cursors: string;
  /** For courses that name no project of their own. */
  destination: Project | null;
  env: Readonly<Record<string, string | undefined>>;
  createPostHogSink: (options: PostHogSinkOptions) => Sink;
  onStatus: (status: SinkStatus) => void;
  onProblem: (message: string) => void;
}

/** All feeders at work. */
export interface Feeders {
  /** How each sink is doing, those included that cannot be fed for want of a key. */
  statuses(): SinkStatus[];
  /** Lowest sequence number of the log that any sink still needs: everything below is confirmed durably by all. */
  lowest(): number;
  /** Stops all, and lets go of their sinks. Idempotent. */
  stop(): Promise<void>;
}

/** How often the courses are looked at for changed destinations, in ms. */
const RECONCILE_MS = 1_000;

/** A sink with its place in the log. */
interface Fed {
  cursor: Cursor;
  /** Null where the sink cannot be made. */
  running: { sink: Sink; feeder: Feeder } | null;
  /** What stood in the status when the feeder before this one ended. */
  before: SinkStatus;
  /** What the sink was made of; a change makes another one. */
  signature: string;
}

/** Starts a feeder for the page and one for each project; later ones as soon as a course names them. */
export async function startFeeders(options: FeedersOptions): Promise<Feeders> {
  const { log, deadLetters, courses, onStatus } = options;
  const cursors = await openCursors(options.cursors);
  const fed = new Map<string, Fed>();
  let revision = -1;
  let stopping: Promise<void> | undefined;

  const simulated = (id: string): boolean =>
    courses.course(id)?.simulated === true;

  function feed(
    sink: Sink,
    cursor: Cursor,
    more: { before?: SinkStatus; signature?: string; only?: boolean } = {}
  ): void {
    const before = more.before ?? idle(sink.name);
    const feeder = startFeeder({
      log,
      sink,
      cursor,
      deadLetters,
      simulated,
      ...(more.only === true
        ? {
            accepts: (course: string) =>
              goesTo(courses.course(course), sink.name, options.destination)
          }
        : {}),
      onStatus: status => onStatus(sumOf(before, status))
    });
    fed.set(sink.name, {
      cursor,
      running: { sink, feeder },
      before,
      signature: more.signature ?? ''
    });
  }

  async function reconcile(): Promise<void> {
    if (courses.revision === revision) {
      return;
    }
    const seen = courses.revision;
    const wanted = destinationsOf(
      courses.all(),
      options.destination,
      options.env
    );
    await cursors.adopt(wanted);
    for (const destination of wanted) {
      await bringTo(destination);
    }
    const names = new Set(wanted.map(({ name }) => name));
    for (const [name, { signature }] of [...fed]) {
      if (signature !== '' && !names.has(name)) {
        await rest(name);
        fed.delete(name);
      }
    }
    revision = seen;
  }

  /** Makes the destination's feeder what it should be; one course's mistake holds up no other. */
  async function bringTo(destination: Destination): Promise<void> {
    const { name, host, apiKey, problem } = destination;
    const places = placesOf(name, courses, options.destination);
    const signature = JSON.stringify([host, apiKey, places]);
    const present = fed.get(name);
    if (present?.signature === signature) {
      return;
    }
    // It stays in the list meanwhile: what it still needs of the log is needed all the time.
    await rest(name);
    const before = present?.before ?? idle(name);
    const cursor = await cursors.open(name, host);
    if (apiKey === null) {
      options.onProblem(problem!);
      fed.set(name, {
        cursor,
        running: null,
        before: { ...before, state: 'stopped', lastError: problem },
        signature
      });
      return;
    }
    const sink = options.createPostHogSink({ name, host, apiKey, places });
    feed(sink, cursor, { before, signature, only: true });
  }

  /** Lets go of the sink; its place and what it counted stay. */
  async function rest(name: string): Promise<void> {
    const present = fed.get(name);
    if (present?.running) {
      const { feeder, sink } = present.running;
      await feeder.stop();
      present.before = statusOf(name, present);
      present.running = null;
      await sink.close();
    }
  }

  function statusOf(
    name: string,
    { running, before, cursor }: Fed
  ): SinkStatus {
    if (running) {
      return sumOf(before, running.feeder.status());
    }
    const { seq } = cursor.position();
    const lag = Math.max(0, log.status().last - seq + 1);
    return { ...before, name, seq, lag };
  }

  feed(options.insights, memoryCursor());
  await reconcile();
  let turn = Promise.resolve();
  const timer = setInterval(() => {
    turn = turn
      .then(reconcile)
      .catch((error: Error) => options.onProblem(error.message));
  }, RECONCILE_MS);
  timer.unref();

  return {
    statuses: () => [...fed].map(([name, one]) => statusOf(name, one)),
    lowest: () =>
      Math.min(
        log.status().next,
        ...[...fed.values()].map(({ cursor }) => cursor.position().seq)
      ),
    stop() {
      stopping ??= (async () => {
        clearInterval(timer);
        await turn;
        await Promise.all([...fed.keys()].map(rest));
      })();
      return stopping;
    }
  };
}

/** The furthest place in the log that any sink has reached: numbers below it must not be given out again. */
export async function furthestCursor(folder: string): Promise<number> {
  const cursors: Cursors = await openCursors(folder);
  return cursors.furthest();
}

function idle(name: string): SinkStatus {
  return {
    name,
    state: 'running',
    circuit: 'closed',
    lag: 0,
    seq: 1,
    delivered: 0,
    setAside: 0,
    retries: 0,
    lastError: null
  };
}

/** The present feeder's status with what the ones before it counted since the relay's start. */
function sumOf(before: SinkStatus, now: SinkStatus): SinkStatus {
  return {
    ...now,
    delivered: before.delivered + now.delivered,
    setAside: before.setAside + now.setAside,
    retries: before.retries + now.retries
  };
}
