/** Sinks for sending something again: beside the ones that are fed, to the same destinations. */
import type { PostHogSinkOptions, Sink } from '../../sinks/index.js';
import type { CourseStore } from '../courses/courseStore.js';
import {
  destinationsOf,
  goesTo,
  placesOf,
  type Project
} from '../destinations.js';

/** What is known of destinations. */
export interface ReplaySinksOptions {
  courses: Pick<CourseStore, 'all' | 'course'>;
  /** For courses that name no project of their own. */
  destination: Project | null;
  env: Readonly<Record<string, string | undefined>>;
  createPostHogSink: (options: PostHogSinkOptions) => Sink;
}

/** Opens sinks. */
export interface ReplaySinks {
  /**
   * Another sink to a destination, under the same name.
   *
   * @throws Error that says what there is, if there is none of this name or its key is missing.
   */
  open(name: string): Sink;
  /** Whether a course's events go there, as the settings are now. */
  accepts(course: string, name: string): boolean;
}

let opened = 0;

/** Sinks as the courses' settings name them at the time they are opened. */
export function replaySinks(options: ReplaySinksOptions): ReplaySinks {
  const { courses, destination: relay, env } = options;
  return {
    open(name) {
      const all = destinationsOf(courses.all(), relay, env);
      const found = all.find(one => one.name === name);
      if (!found) {
        throw new Error(
          `sink: expected ${all.map(one => one.name).join(', ') || 'a destination, but none is configured'}, got ${JSON.stringify(name)}. The page (insights) reads the whole log at each start.`
        );
      }
      if (found.apiKey === null) {
        throw new Error(found.problem!);
      }
      opened += 1;
      const sink = options.createPostHogSink({
        // The one at work has the plain name.
        name: `${name}#${opened}`,
        host: found.host,
        apiKey: found.apiKey,
        places: placesOf(name, courses, relay)
      });
      return { ...sink, name };
    },
    accepts: (course, name) => goesTo(courses.course(course), name, relay)
  };
}
