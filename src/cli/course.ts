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
import { DEFAULT_EVENTS, SELECTABLE_EVENTS } from '../events/index.js';
import { ENV_PREFIX } from '../relay/config/options.js';
import { destination, projectKey } from '../relay/config/kinds.js';
import { readIfThere } from '../relay/files.js';
import { localPrincipal, openAudit } from '../relay/privacy/audit.js';
import { ensureCourseKey } from '../relay/privacy/secrets.js';
import {
  columns,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command,
  type CommandOption,
  type Invocation
} from './command.js';
import { handOver, KEY_FILE_OPTION } from './keyOutput.js';
import { findPlace, makePlace } from './place.js';

const SETTINGS = {
  title: { value: 'TEXT', meaning: 'Name for people' },
  level: {
    value: 'LEVEL',
    meaning:
      'How much of each event: outcomes (no code, no error messages; the default), code, or full'
  },
  events: {
    value: 'LIST',
    meaning: `Which events are collected: ${SELECTABLE_EVENTS.join(',')}; default (${DEFAULT_EVENTS.join(',')}); all. +NAME and -NAME change what is chosen: --events=+edit,-focus`
  },
  properties: {
    value: 'LIST',
    meaning:
      'Which properties of events are kept: default (below level full the ones of the contract, and all of custom events), all, or names: besides the ones of the contract only these'
  },
  consent: {
    value: 'MODE',
    meaning:
      'notice (the default: students are told, and may stop) or opt-in (nothing leaves before they agree)'
  },
  identity: {
    value: 'MODE',
    meaning:
      'names (the default), or pseudonyms: no name is kept, and only this relay can tell whose a pseudonym is'
  },
  students: {
    value: 'MODE',
    meaning:
      'claimed (the default: students are who they say) or verified (only who the JupyterHub says; everything else is refused)'
  },
  ack: {
    value: 'MODE',
    meaning:
      'validated (the default: 200 says that events were judged and are on disk) or durable (the bytes are on disk and judged afterwards: faster, and only where nothing is ever removed)'
  },
  'hub-instructors': {
    value: 'GROUPS',
    meaning:
      "The JupyterHub's groups whose members are instructors of the course, with commas between them; or none"
  },
  'hub-assistants': {
    value: 'GROUPS',
    meaning:
      'The same for assistants; GROUP:SECTION shows them the students of that section alone'
  },
  receiver: {
    value: 'TEXT',
    meaning: 'Who receives the data, as the notice says; the title by default'
  },
  'retention-days': {
    value: 'DAYS',
    meaning:
      'How long the data are kept, as the notice says; 365 by default, or none'
  },
  contact: {
    value: 'TEXT',
    meaning: 'Whom students can ask, as the notice says; or none'
  },
  'notice-text': {
    value: 'TEXT',
    meaning: "What the notice adds in the course's own words; or none"
  },
  'posthog-host': {
    value: 'URL',
    meaning: "The course's own PostHog, together with one of the next two"
  },
  'posthog-key-env': {
    value: 'NAME',
    meaning: 'Variable that holds the project key when the relay starts'
  },
  'posthog-key': {
    value: 'KEY',
    meaning: 'The project key itself; kept in the data folder'
  },
  posthog: {
    value: 'WHICH',
    meaning: "relay (the relay's own project; the default) or off (no PostHog)"
  },
  origins: {
    value: 'LIST',
    meaning:
      'Origins of the web pages that may send, such as https://hub.example.org; any (the default). Programs send none and always may'
  },
  'posthog-project': {
    value: 'ID',
    meaning:
      "Id of the course's project in PostHog, so that deleted students are deleted there, too; together with the next one"
  },
  'posthog-personal-key-env': {
    value: 'NAME',
    meaning:
      'Variable that holds a personal key with the scopes person:read and person:write when the relay starts'
  },
  simulated: {
    value: 'YES/NO',
    meaning: 'Whether its events are made up, and never mixed with real ones'
  },
  places: {
    value: 'YES/NO',
    meaning:
      'Whether PostHog may get an IP address that a client put into an event, and look up the place; no by default'
  }
} as const satisfies Record<string, CommandOption>;

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

function changesOf(options: Invocation['options']): CourseChanges {
  const text = (name: string): string | undefined =>
    options[name] as string | undefined;
  const yesOrNo = (name: string): boolean | undefined => {
    const given = text(name);
    if (given !== undefined && given !== 'yes' && given !== 'no') {
      throw new UsageError(
        `--${name}: expected yes or no, got ${JSON.stringify(given)}.`
      );
    }
    return given === undefined ? undefined : given === 'yes';
  };
  const notice = without({
    receiver: text('receiver'),
    retention_days: orNone(text('retention-days'), Number),
    contact: orNone(text('contact'), String),
    text: orNone(text('notice-text'), String)
  });
  return without({
    title: text('title'),
    level: text('level') as CourseChanges['level'],
    events: text('events'),
    properties: text('properties'),
    consent: text('consent') as CourseChanges['consent'],
    identity: text('identity'),
    students: text('students') as CourseChanges['students'],
    ack: text('ack') as CourseChanges['ack'],
    hubInstructors: text('hub-instructors'),
    hubAssistants: text('hub-assistants'),
    posthog: postHogOf(text),
    persons: personsOf(text),
    simulated: yesOrNo('simulated'),
    places: yesOrNo('places'),
    origins: originsOf(text('origins')),
    notice: Object.keys(notice).length > 0 ? notice : undefined
  }) as CourseChanges;
}

/** A slash at the end is what people copy from the address bar. */
function originsOf(given: string | undefined): CourseChanges['origins'] {
  return given === undefined || given === 'any'
    ? given
    : given
        .split(',')
        .map(origin => origin.trim().toLowerCase().replace(/\/$/, ''));
}

function postHogOf(
  text: (name: string) => string | undefined
): CourseChanges['posthog'] {
  const host = text('posthog-host');
  const apiKey = text('posthog-key');
  const apiKeyEnv = text('posthog-key-env');
  const which = text('posthog');
  if (which !== undefined && which !== 'off' && which !== 'relay') {
    throw new UsageError(
      `--posthog: expected relay or off, got ${JSON.stringify(which)}. A project of its own is given by --posthog-host.`
    );
  }
  if (host === undefined && apiKey === undefined && apiKeyEnv === undefined) {
    return which;
  }
  if (
    which !== undefined ||
    host === undefined ||
    (apiKey === undefined) === (apiKeyEnv === undefined)
  ) {
    throw new UsageError(
      'a PostHog of its own: expected --posthog-host with either --posthog-key-env or --posthog-key.'
    );
  }
  const url = destination('https://eu.i.posthog.com');
  const read = url.read(host);
  if (read === undefined) {
    throw new UsageError(
      `--posthog-host: expected ${url.expected}, got ${JSON.stringify(host)}.`
    );
  }
  if (apiKeyEnv !== undefined) {
    checkVariable('posthog-key-env', apiKeyEnv);
    return { host: read, apiKeyEnv };
  }
  if (projectKey().read(apiKey) === undefined) {
    throw new UsageError(`--posthog-key: expected ${projectKey().expected}.`);
  }
  return { host: read, apiKey: apiKey! };
}

function personsOf(
  text: (name: string) => string | undefined
): CourseChanges['persons'] {
  const project = text('posthog-project');
  const personalKeyEnv = text('posthog-personal-key-env');
  if (project === undefined && personalKeyEnv === undefined) {
    return undefined;
  }
  if (project === undefined || personalKeyEnv === undefined) {
    throw new UsageError(
      'deleting students from PostHog: expected --posthog-project together with --posthog-personal-key-env.'
    );
  }
  checkVariable('posthog-personal-key-env', personalKeyEnv);
  return { project, personalKeyEnv };
}

function checkVariable(option: string, name: string): void {
  if (!/^[A-Za-z_]\w*$/.test(name) || name.startsWith(ENV_PREFIX)) {
    throw new UsageError(
      `--${option}: expected the name of a variable that does not begin with ${ENV_PREFIX}, got ${JSON.stringify(name)}.`
    );
  }
}

function orNone<T>(
  given: string | undefined,
  read: (text: string) => T
): T | null | undefined {
  return given === undefined
    ? undefined
    : given === 'none'
      ? null
      : read(given);
}

function without<T extends Record<string, unknown>>(values: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined)
  ) as Partial<T>;
}
