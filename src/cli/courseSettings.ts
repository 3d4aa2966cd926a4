/** The settings of a course as options of `course add` and `course set`. */
import { DEFAULT_EVENTS, SELECTABLE_EVENTS } from '../events/index.js';
import { destination, projectKey } from '../relay/config/kinds.js';
import { ENV_PREFIX } from '../relay/config/options.js';
import type { CourseChanges } from '../relay/courses/editCourses.js';
import { UsageError, type CommandOption, type Invocation } from './command.js';

/** The options. */
export const SETTINGS = {
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

/** The changes that the given options ask for. @throws UsageError for one that makes no sense. */
export function changesOf(options: Invocation['options']): CourseChanges {
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
