/** Feeds every reader of the log: the instructors' page, and each PostHog project that courses name. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SinkStatus } from '../api/index.js';
import type { InsightsSink, PostHogSinkOptions, Sink } from '../sinks/index.js';
import type { Course } from './courses/courseFile.js';
import type { CourseStore } from './courses/courseStore.js';
import type { EventLog } from './log/types.js';
import { memoryCursor, openCursor } from './pipeline/cursor.js';
import type { DeadLetters } from './pipeline/deadLetters.js';
import { startFeeder, type Feeder } from './pipeline/feeder.js';

/** A PostHog project. */
export interface Destination {
  host: string;
  apiKey: string;
}

/** What the feeders need. */
export interface FeedersOptions {
  log: EventLog;
  deadLetters: DeadLetters;
  courses: CourseStore;
  insights: InsightsSink;
  /** Folder of the cursors. */
  cursors: string;
  /** For courses that name no project of their own. */
  destination: Destination | null;
  env: Readonly<Record<string, string | undefined>>;
  createPostHogSink: (options: PostHogSinkOptions) => Sink;
  onStatus: (status: SinkStatus) => void;
  onProblem: (message: string) => void;
}

/** All feeders at work. */
export interface Feeders {
  statuses(): SinkStatus[];
  /** Stops all, and lets go of their sinks. Idempotent. */
  stop(): Promise<void>;
}

/** How often the courses are looked at for new destinations, in ms. */
const RECONCILE_MS = 1_000;

/** Starts a feeder for the page and one for each project; later ones as soon as a course names them. */
export async function startFeeders(options: FeedersOptions): Promise<Feeders> {
  const { log, deadLetters, courses, insights, onStatus } = options;
  const simulated = (id: string): boolean =>
    courses.course(id)?.simulated === true;
  const sinks: Sink[] = [insights];
  const feeders: Feeder[] = [
    startFeeder({
      log,
      sink: insights,
      cursor: memoryCursor(),
      deadLetters,
      simulated,
      onStatus
    })
  ];
  const started = new Set<string>();
  const problems = new Set<string>();
  let revision = -1;
  let stopping: Promise<void> | undefined;

  /** Name of the sink that a course's events go to, if any; one course's mistake holds up no other. */
  function sinkNameOf(id: string): string | null {
    const course = courses.course(id);
    const destination = course
      ? tellOnce(() => destinationOf(course, options))
      : null;
    return destination && nameOf(destination);
  }

  async function reconcile(): Promise<void> {
    if (courses.revision === revision) {
      return;
    }
    revision = courses.revision;
    for (const course of courses.all()) {
      const destination = tellOnce(() => destinationOf(course, options));
      const name = destination && nameOf(destination);
      if (destination && name && !started.has(name)) {
        started.add(name);
        const sink = options.createPostHogSink({ name, ...destination });
        const cursor = await openCursor(join(options.cursors, `${name}.json`));
        sinks.push(sink);
        feeders.push(
          startFeeder({
            log,
            sink,
            cursor,
            deadLetters,
            accepts: id => sinkNameOf(id) === name,
            simulated,
            onStatus
          })
        );
      }
    }
  }

  function tellOnce<T>(attempt: () => T): T | null {
    try {
      return attempt();
    } catch (error) {
      const { message } = error as Error;
      if (!problems.has(message)) {
        problems.add(message);
        options.onProblem(message);
      }
      return null;
    }
  }

  await reconcile();
  let turn = Promise.resolve();
  const timer = setInterval(() => {
    turn = turn
      .then(reconcile)
      .catch((error: Error) => options.onProblem(error.message));
  }, RECONCILE_MS);
  timer.unref();

  return {
    statuses: () => feeders.map(feeder => feeder.status()),
    stop() {
      stopping ??= (async () => {
        clearInterval(timer);
        await turn;
        await Promise.all(feeders.map(feeder => feeder.stop()));
        await Promise.all(sinks.map(sink => sink.close()));
      })();
      return stopping;
    }
  };
}

/**
 * The project that a course's events go to; null for none.
 *
 * @throws Error if the course names a variable that is not set.
 */
export function destinationOf(
  course: Course,
  { destination, env }: Pick<FeedersOptions, 'destination' | 'env'>
): Destination | null {
  const { posthog } = course;
  if (posthog === undefined) {
    return course.simulated === true ? null : destination;
  }
  if (posthog === 'off') {
    return null;
  }
  const apiKey = posthog.apiKey ?? env[posthog.apiKeyEnv ?? ''];
  if (apiKey === undefined || apiKey.trim() === '') {
    throw new Error(
      `course ${course.id}: expected its PostHog key in the variable ${posthog.apiKeyEnv}, which is not set. Its events wait in the log; set the variable and start the relay again.`
    );
  }
  return { host: posthog.host, apiKey: apiKey.trim() };
}

/** The furthest place in the log that any sink has reached: numbers below it must not be given out again. */
export async function furthestCursor(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const places = await Promise.all(
    names
      .filter(name => name.endsWith('.json'))
      .map(async name => {
        const cursor = await openCursor(join(folder, name));
        return cursor.position().seq;
      })
  );
  return Math.max(1, ...places);
}

/** A project keeps its cursor under this name; another one begins with the log's first event. */
function nameOf({ host, apiKey }: Destination): string {
  const id = createHash('sha256')
    .update(`${host.replace(/\/+$/, '')}\n${apiKey}`)
    .digest('hex');
  return `posthog-${id.slice(0, 8)}`;
}
