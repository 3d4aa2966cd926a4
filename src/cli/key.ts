/** `key add`, `key revoke`, `key list`: the keys by which notebooks write into a course, and people read it. */
import { integer } from '../relay/config/kinds.js';
import {
  parseCourseFile,
  type CourseKey
} from '../relay/courses/courseFile.js';
import { addKey, revokeKey } from '../relay/courses/editCourses.js';
import { KEY_KINDS, type KeyKind } from '../relay/courses/keys.js';
import { readIfThere } from '../relay/files.js';
import { localPrincipal, openAudit } from '../relay/privacy/audit.js';
import {
  columns,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';
import { handOver, KEY_FILE_OPTION } from './keyOutput.js';
import { findPlace } from './place.js';

export const keyAddCommand: Command = {
  name: 'key add',
  summary: 'Make a further key for a course and print it, once',
  args: ['course'],
  options: {
    role: {
      value: 'ROLE',
      meaning:
        'write (for notebooks; the default), or what its holder may see: instructor, assistant, display (for a projector: no names)'
    },
    section: {
      value: 'NAME',
      meaning: "The section whose students an assistant's key shows"
    },
    expires: {
      value: 'DAYS',
      meaning: 'Days for which it is valid; for ever by default'
    },
    label: { value: 'TEXT', meaning: 'What the key is for, for people' },
    ...KEY_FILE_OPTION,
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'key add python-101 --label "Colab"',
    'key add python-101 --key-file colab.key',
    'key add python-101 --role instructor --label "Grace Hopper"',
    'key add python-101 --role assistant --section A --expires 120',
    'key add python-101 --role display --expires 1'
  ],
  async run(invocation) {
    const { args, options } = invocation;
    const choices = {
      kind: kindIn(options['role']),
      section: options['section'] as string | undefined,
      days: daysIn(options['expires']),
      label: options['label'] as string | undefined
    };
    const { paths } = await findPlace(invocation);
    const course = args['course']!;
    await handOver(invocation, async () => {
      const made = await addKey(paths.courses, course, choices);
      const { id, kind, expires = null, section = null } = made.key;
      await openAudit(paths.audit).write({
        who: localPrincipal(invocation.env),
        action: 'key_added',
        course,
        details: { key: id, kind, expires, section }
      });
      return {
        ...made,
        said: `Course ${course} has a further key${kind === 'write' ? '' : ` that reads: role ${kind}`}.`,
        json: { course, kind, expires, section }
      };
    });
  }
};

function kindIn(given: string | boolean | undefined): KeyKind | undefined {
  const kind = KEY_KINDS.find(known => known === given);
  if (given !== undefined && kind === undefined) {
    throw new UsageError(
      `--role: expected ${KEY_KINDS.join(', ')}, got ${JSON.stringify(given)}.`
    );
  }
  return kind;
}

function daysIn(given: string | boolean | undefined): number | undefined {
  if (given === undefined) {
    return undefined;
  }
  const days = integer(1, 3650, 'DAYS');
  const read = days.read(given);
  if (read === undefined) {
    throw new UsageError(
      `--expires: expected ${days.expected}, got ${JSON.stringify(given)}.`
    );
  }
  return read;
}

export const keyRevokeCommand: Command = {
  name: 'key revoke',
  summary: 'Revoke a key; a running relay refuses it at once',
  args: ['id'],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['key revoke k_x7Gq20Lm'],
  async run(invocation) {
    const { args, options, print } = invocation;
    const { paths } = await findPlace(invocation);
    const { id, course, revoked } = await revokeKey(paths.courses, args['id']!);
    await openAudit(paths.audit).write({
      who: localPrincipal(invocation.env),
      action: 'key_revoked',
      course,
      details: { key: id }
    });
    print(
      options['json'] === true
        ? JSON.stringify({ keyId: id, course, revoked })
        : `Key ${id} of course ${course} is revoked.`
    );
  }
};

export const keyListCommand: Command = {
  name: 'key list',
  summary: 'List the keys, never in plain text',
  args: [],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['key list', 'key list --json'],
  async run(invocation) {
    const { options, print } = invocation;
    const { paths } = await findPlace(invocation);
    const { keys } = parseCourseFile(
      await readIfThere(paths.courses),
      paths.courses
    );
    if (options['json'] === true) {
      print(
        JSON.stringify(
          keys.map(
            ({ id, kind, course, created, expires, revoked, ...key }) => ({
              keyId: id,
              kind,
              course,
              section: key.section ?? null,
              created,
              expires: expires ?? null,
              revoked: revoked ?? null,
              label: key.label ?? null
            })
          )
        )
      );
    } else if (keys.length === 0) {
      print('There is no key yet: course add makes the first one.');
    } else {
      columns(
        keys.map(key => [
          key.id,
          [
            key.course,
            key.section === undefined
              ? key.kind
              : `${key.kind} of ${key.section}`,
            validityOf(key),
            key.label ?? ''
          ]
            .join('  ')
            .trimEnd()
        ])
      ).forEach(print);
    }
  }
};

function validityOf({ created, expires, revoked }: CourseKey): string {
  if (revoked !== undefined) {
    return `revoked ${revoked}`;
  }
  return expires === undefined
    ? `valid since ${created}`
    : Date.parse(expires) <= Date.now()
      ? `expired ${expires}`
      : `valid until ${expires}`;
}
