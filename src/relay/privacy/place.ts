/** The desk of a data folder: at the running relay, or opened by a command where none runs. */
import type { InsightsSink } from '../../sinks/index.js';
import type { Course } from '../courses/courseFile.js';
import { dropFromSections } from '../courses/editCourses.js';
import { openCourseStore } from '../courses/courseStore.js';
import { destinationNameOf, type Project } from '../destinations.js';
import { furthestCursor } from '../feeders.js';
import type { DataPaths } from '../files.js';
import { recordsOf } from '../log/contents.js';
import { openLog, type LogEngine } from '../log/openLog.js';
import type { EventLog } from '../log/types.js';
import { openDeadLetters, type DeadLetters } from '../pipeline/deadLetters.js';
import { openAudit, type Audit } from './audit.js';
import { createDesk, type Desk } from './desk.js';
import {
  appHostOf,
  createPostHogPersons,
  type PostHogPersons
} from './postHogPersons.js';

/** What a desk is made of. */
export interface PlaceParts {
  paths: DataPaths;
  log: Pick<EventLog, 'read' | 'rewrite'>;
  deadLetters: DeadLetters;
  courses: { all(): readonly Course[]; course(id: string): Course | undefined };
  /** The relay's own PostHog project, if any. */
  destination: Project | null;
  env: Readonly<Record<string, string | undefined>>;
  audit: Audit;
  insights: Pick<InsightsSink, 'reset' | 'deliver'> | null;
  /** Rules of courses are to be looked up anew. */
  onForgotten?: () => void;
  /** A course's answers were folded anew. */
  onRefolded?: () => void;
  now?: () => number;
  pollMs?: number;
  recheckMs?: number;
}

/** The desk. */
export function openDesk(parts: PlaceParts): Desk {
  const { paths, log, courses, insights } = parts;

  async function refold(id: string): Promise<void> {
    if (insights === null) {
      return;
    }
    insights.reset(id);
    const simulated = courses.course(id)?.simulated === true;
    for await (const record of log.read(1)) {
      if (record.header.course === id) {
        await insights.deliver(
          readable(() => recordsOf(record, { simulated }))
        );
      }
    }
    parts.onRefolded?.();
  }

  return createDesk({
    files: {
      pseudonyms: paths.pseudonyms,
      forget: paths.forget,
      audit: paths.audit
    },
    log,
    deadLetters: parts.deadLetters,
    courses,
    audit: parts.audit,
    postHogOf: id => postHogOf(courses.course(id), parts),
    unlist: (id, matches) => dropFromSections(paths.courses, id, matches),
    onForgotten: parts.onForgotten ?? (() => undefined),
    refold,
    ...(parts.now ? { now: parts.now } : {}),
    ...(parts.pollMs === undefined ? {} : { pollMs: parts.pollMs }),
    ...(parts.recheckMs === undefined ? {} : { recheckMs: parts.recheckMs })
  });
}

/** Opens the desk of a folder that no relay holds, lets `work` use it, and closes what was opened. */
export async function atClosedFolder<T>(
  paths: DataPaths,
  {
    destination,
    env,
    engine
  }: Pick<PlaceParts, 'destination' | 'env'> & { engine: LogEngine },
  work: (desk: Desk) => Promise<T>
): Promise<T> {
  const courses = openCourseStore(paths.courses, () => undefined);
  const log = await openLog(engine, {
    dir: paths.log,
    startAt: await furthestCursor(paths.cursors)
  });
  try {
    const deadLetters = await openDeadLetters(paths.deadLetters);
    try {
      return await work(
        openDesk({
          paths,
          log,
          deadLetters,
          courses,
          destination,
          env,
          audit: openAudit(paths.audit),
          insights: null
        })
      );
    } finally {
      await deadLetters.close();
    }
  } finally {
    await log.close();
  }
}

/** Where the persons of a course are deleted: `none` where its events go to no PostHog, null where nobody may. */
function postHogOf(
  course: Course | undefined,
  { destination, env }: Pick<PlaceParts, 'destination' | 'env'>
): 'none' | PostHogPersons | null {
  if (!course || destinationNameOf(course, destination) === null) {
    return 'none';
  }
  const { posthog, persons } = course;
  const host =
    typeof posthog === 'object' ? posthog.host : (destination?.host ?? '');
  const personalKey = (env[persons?.personalKeyEnv ?? ''] ?? '').trim();
  return persons === undefined || personalKey === ''
    ? null
    : createPostHogPersons({
        host: appHostOf(host),
        project: persons.project,
        personalKey
      });
}

function readable<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    // Not written by this relay; the feeders set it aside and say so.
    return [];
  }
}
