/** `course add`, `course set`, `course list`: courses and their settings. */
import {
  COURSE_ID,
  parseCourseFile,
  publicSettings,
  type Course
} from '../relay/courses/courseFile.js';
import {
  addCourse,
  setCourse,
  type CourseChanges
} from '../relay/courses/editCourses.js';
import { readIfThere } from '../relay/files.js';
import { localPrincipal, openAudit } from '../relay/privacy/audit.js';
import { ensureCourseKey } from '../relay/privacy/secrets.js';
import {
  columns,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';
import { changesOf, SETTINGS } from './courseSettings.js';
import { handOver, KEY_FILE_OPTION } from './keyOutput.js';
import { findPlace, makePlace } from './place.js';

export const courseAddCommand: Command = {
  name: 'course add',
  summary: 'Add a course and print its key, once',
  args: ['course'],
  options: {
    ...SETTINGS,
    ...KEY_FILE_OPTION,
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'course add python-101 --title "Python 101"',
    'course add python-101 --title "Python 101" --level code --key-file python-101.key',
    'course add python-101 --title "Python 101" --events start,end,cell,test --consent opt-in',
    'course add demo --title "Demo" --posthog off --json'
  ],
  async run(invocation) {
    const { args, options } = invocation;
    const title = options['title'];
    if (typeof title !== 'string') {
      throw new UsageError(
        `expected --title with the course's name for people, got none.`
      );
    }
    const settings = { ...changesOf(options), title };
    const { paths } = await makePlace(invocation);
    await handOver(invocation, async () => {
      const made = await addCourse(
        paths.courses,
        args['course']!,
        await withPseudonymKey(paths.pseudonyms, args['course']!, settings)
      );
      return {
        ...made,
        said: `Course ${made.course.id} is added.`,
        json: publicSettings(made.course)
      };
    });
  }
};

export const courseSetCommand: Command = {
  name: 'course set',
  summary: 'Change settings of a course; a running relay follows at once',
  args: ['course'],
  options: { ...SETTINGS, ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: [
    'course set python-101 --level code',
    'course set python-101 --events=+edit,-focus',
    'course set python-101 --properties hint,answer',
    'course set python-101 --posthog-host https://eu.i.posthog.com --posthog-key-env PYTHON_101_POSTHOG',
    'course set python-101 --origins https://hub.example.org,https://lite.example.org',
    'course set python-101 --contact "ada@example.org" --retention-days 180'
  ],
  async run(invocation) {
    const { args, options, print } = invocation;
    const changes = changesOf(options);
    if (Object.keys(changes).length === 0) {
      throw new UsageError(
        `expected at least one setting to change, such as --level code, got none.`
      );
    }
    const { paths } = await findPlace(invocation);
    const course = await setCourse(
      paths.courses,
      args['course']!,
      await withPseudonymKey(paths.pseudonyms, args['course']!, changes)
    );
    await openAudit(paths.audit).write({
      who: localPrincipal(invocation.env),
      action: 'settings_changed',
      course: course.id,
      details: {
        version: course.version,
        settings: Object.keys(changes).sort().join(',')
      }
    });
    print(
      options['json'] === true
        ? JSON.stringify(shown(course))
        : `Course ${course.id} is changed (version ${course.version}; students see version ${course.notice.version} of the notice).`
    );
  }
};

export const courseListCommand: Command = {
  name: 'course list',
  summary: 'List the courses',
  args: [],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['course list', 'course list --json'],
  async run(invocation) {
    const { options, print } = invocation;
    const { paths } = await findPlace(invocation);
    const { courses } = parseCourseFile(
      await readIfThere(paths.courses),
      paths.courses
    );
    if (options['json'] === true) {
      print(JSON.stringify(courses.map(shown)));
    } else if (courses.length === 0) {
      print('There is no course yet. Add one: course add ID --title "…"');
    } else {
      columns(
        courses.map(course => [
          course.id,
          `${course.title} (level ${course.level}, consent ${course.consent}${course.simulated === true ? ', simulated' : ''})`
        ])
      ).forEach(print);
    }
  }
};

/** The changes with the id of a key, where they ask for pseudonyms. */
async function withPseudonymKey<T extends CourseChanges>(
  file: string,
  course: string,
  changes: T
): Promise<T> {
  return changes.identity === 'pseudonyms' && COURSE_ID.test(course)
    ? { ...changes, pseudonym: { keyId: await ensureCourseKey(file, course) } }
    : changes;
}

/** A course as programs see it: everything but secrets. */
function shown(course: Course): Record<string, unknown> {
  const { posthog } = course;
  return {
    ...publicSettings(course),
    students: course.students ?? 'claimed',
    ack: course.ack ?? 'validated',
    hub: { instructors: [], assistants: [], ...course.hub },
    properties: course.properties ?? 'default',
    simulated: course.simulated === true,
    places: course.places === true,
    origins: course.origins ?? 'any',
    posthog:
      posthog === undefined
        ? 'relay'
        : posthog === 'off'
          ? 'off'
          : { host: posthog.host, apiKeyEnv: posthog.apiKeyEnv ?? null }
  };
}
