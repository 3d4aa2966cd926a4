/** Which PostHog projects the courses' events go to, each under a name that outlives its key. */
import { createHash } from 'node:crypto';
import type { RelayConfig } from './config/options.js';
import type { Course } from './courses/courseFile.js';
import type { CourseStore } from './courses/courseStore.js';

/** A PostHog project. */
export interface Project {
  host: string;
  apiKey: string;
}

/** A place that events go to, whether they can be sent there now or not. */
export interface Destination {
  /** `posthog` for the relay's own project, `posthog-COURSE` for a course's; never depends on the key. */
  name: string;
  host: string;
  /** Null where the key is missing. */
  apiKey: string | null;
  /** Why nothing can be sent; null where it can. */
  problem: string | null;
}

/** The relay's own project, where one is configured. */
export function projectOf(
  config: Pick<RelayConfig, 'posthog-host' | 'posthog-key'>
): Project | null {
  const apiKey = config['posthog-key'];
  return apiKey === null ? null : { host: config['posthog-host'], apiKey };
}

/** Name of the relay's own project. */
export const RELAY_DESTINATION = 'posthog';

/** Name of the destination that a course's events go to; null for none. */
export function destinationNameOf(
  course: Course,
  relay: Project | null
): string | null {
  const { posthog, simulated, id } = course;
  if (posthog === undefined) {
    return relay === null || simulated === true ? null : RELAY_DESTINATION;
  }
  return posthog === 'off' ? null : `${RELAY_DESTINATION}-${id}`;
}

/** Whether a course's events go to the destination of this name. */
export function goesTo(
  course: Course | undefined,
  name: string,
  relay: Project | null
): boolean {
  return course !== undefined && destinationNameOf(course, relay) === name;
}

/** Courses among those of a destination where PostHog may look up places. */
export function placesOf(
  name: string,
  courses: Pick<CourseStore, 'all'>,
  relay: Project | null
): string[] {
  return courses
    .all()
    .filter(course => course.places === true && goesTo(course, name, relay))
    .map(({ id }) => id);
}

/** Every destination that the relay and the courses name. */
export function destinationsOf(
  courses: readonly Course[],
  relay: Project | null,
  env: Readonly<Record<string, string | undefined>>
): Destination[] {
  const own = courses.flatMap(({ id, posthog }): Destination[] => {
    if (posthog === undefined || posthog === 'off') {
      return [];
    }
    const { host, apiKey, apiKeyEnv = '' } = posthog;
    const key = (apiKey ?? env[apiKeyEnv] ?? '').trim();
    return [
      {
        name: `${RELAY_DESTINATION}-${id}`,
        host: hostOf(host),
        apiKey: key === '' ? null : key,
        problem:
          key === ''
            ? `course ${id}: expected its PostHog key in the variable ${apiKeyEnv}, which is not set. Its events wait in the log; set the variable and start the relay again.`
            : null
      }
    ];
  });
  return relay === null
    ? own
    : [
        {
          name: RELAY_DESTINATION,
          host: hostOf(relay.host),
          apiKey: relay.apiKey,
          problem: null
        },
        ...own
      ];
}

/** Under what name earlier versions kept the cursor of a project: it changed with the key. */
export function formerNameOf({ host, apiKey }: Project): string {
  const id = createHash('sha256')
    .update(`${hostOf(host)}\n${apiKey}`)
    .digest('hex');
  return `posthog-${id.slice(0, 8)}`;
}

function hostOf(host: string): string {
  return host.replace(/\/+$/, '');
}
