/** `privacy rotate` and `privacy audit`: the keys of pseudonyms, and who did what with students' data. */
import { parseCourseFile } from '../relay/courses/courseFile.js';
import { setCourse } from '../relay/courses/editCourses.js';
import { readIfThere } from '../relay/files.js';
import {
  localPrincipal,
  openAudit,
  readAudit,
  type AuditEntry
} from '../relay/privacy/audit.js';
import {
  destroyKeys,
  ensureCourseKey,
  ensureSecrets,
  readSecrets
} from '../relay/privacy/secrets.js';
import {
  CommandError,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';
import { findPlace } from './place.js';

export const privacyRotateCommand: Command = {
  name: 'privacy rotate',
  summary: "Give a course's students new pseudonyms, by a new key",
  args: ['course'],
  options: {
    'destroy-old': {
      meaning:
        'Destroy the keys before it: nobody can tell any more whose the old pseudonyms were, and who is behind them cannot be shown, exported or deleted by name'
    },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: ['privacy rotate python-101', 'privacy rotate python-101 --json'],
  async run(invocation) {
    const { args, options, env, print } = invocation;
    const { paths } = await findPlace(invocation);
    const id = args['course']!;
    const { courses } = parseCourseFile(
      await readIfThere(paths.courses),
      paths.courses
    );
    if (!courses.some(course => course.id === id)) {
      throw new CommandError(
        `there is no course ${JSON.stringify(id)}. \`course list\` shows them.`
      );
    }
    const keyId = await ensureCourseKey(paths.pseudonyms, id, true);
    await setCourse(paths.courses, id, { pseudonym: { keyId } });
    const destroyed =
      options['destroy-old'] === true
        ? await destroyKeys(paths.pseudonyms, id, keyId)
        : [];
    await openAudit(paths.audit).write({
      who: localPrincipal(env),
      action: 'key_rotated',
      course: id,
      details: { key: keyId, destroyed: destroyed.length }
    });
    print(
      options['json'] === true
        ? JSON.stringify({ course: id, key: keyId, destroyed })
        : `Course ${id} has a new key for pseudonyms, ${keyId}.${destroyed.length > 0 ? ` Destroyed: ${destroyed.join(', ')}.` : ''}`
    );
  }
};

export const privacyAuditCommand: Command = {
  name: 'privacy audit',
  summary: "Show who saw, exported or deleted students' data",
  args: [],
  options: {
    since: { value: 'DATE', meaning: 'From this day on, such as 2026-09-01' },
    course: { value: 'ID', meaning: 'Only this course' },
    student: { value: 'NAME', meaning: 'Only what was about this student' },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'privacy audit',
    'privacy audit --since 2026-09-01 --json',
    'privacy audit --student ADA-LOVELACE --course python-101'
  ],
  async run(invocation) {
    const { options, print } = invocation;
    const { since, course, student } = options as Record<
      string,
      string | undefined
    >;
    if (since !== undefined && Number.isNaN(Date.parse(since))) {
      throw new UsageError(
        `--since: expected a day such as 2026-09-01, got ${JSON.stringify(since)}.`
      );
    }
    const { paths } = await findPlace(invocation);
    if (student !== undefined) {
      await ensureSecrets(paths.pseudonyms);
    }
    const secrets =
      student === undefined ? undefined : readSecrets(paths.pseudonyms);
    const entries = (
      await readAudit(
        paths.audit,
        since === undefined ? '' : new Date(since).toISOString()
      )
    ).filter(
      entry =>
        (course === undefined || entry.course === course) &&
        (secrets === undefined ||
          (entry.course !== null &&
            entry.subject === secrets.tag(entry.course, student!)))
    );
    if (options['json'] === true) {
      print(JSON.stringify(entries));
    } else if (entries.length === 0) {
      print('Nothing was noted.');
    } else {
      entries.map(lineOf).forEach(print);
    }
  }
};

function lineOf({ at, who, action, course, subject, details }: AuditEntry) {
  return [
    at,
    who,
    action,
    course ?? '-',
    ...(subject === undefined ? [] : [`student ${subject.slice(0, 8)}`]),
    ...Object.entries(details ?? {}).map(([name, value]) => `${name}=${value}`)
  ].join('  ');
}
