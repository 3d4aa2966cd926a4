/** `key add`, `key revoke`, `key list`: the keys by which notebooks write into a course. */
import { parseCourseFile } from '../relay/courses/courseFile.js';
import { addKey, revokeKey } from '../relay/courses/editCourses.js';
import { readIfThere } from '../relay/files.js';
import {
  columns,
  JSON_OPTION,
  PLACE_OPTIONS,
  type Command
} from './command.js';
import { handOver, KEY_FILE_OPTION } from './keyOutput.js';
import { findPlace } from './place.js';

export const keyAddCommand: Command = {
  name: 'key add',
  summary: 'Make a further key for a course and print it, once',
  args: ['course'],
  options: {
    label: { value: 'TEXT', meaning: 'What the key is for, for people' },
    ...KEY_FILE_OPTION,
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'key add python-101 --label "Colab"',
    'key add python-101 --key-file colab.key'
  ],
  async run(invocation) {
    const { args, options } = invocation;
    const { paths } = await findPlace(invocation);
    const course = args['course']!;
    const label = options['label'] as string | undefined;
    await handOver(invocation, async () => ({
      ...(await addKey(paths.courses, course, label)),
      said: `Course ${course} has a further key.`,
      json: { course }
    }));
  }
};

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
          keys.map(({ id, kind, course, created, revoked, label }) => ({
            keyId: id,
            kind,
            course,
            created,
            revoked: revoked ?? null,
            label: label ?? null
          }))
        )
      );
    } else if (keys.length === 0) {
      print('There is no key yet: course add makes the first one.');
    } else {
      columns(
        keys.map(({ id, course, created, revoked, label }) => [
          id,
          `${course}  ${revoked === undefined ? `valid since ${created}` : `revoked ${revoked}`}${label === undefined ? '' : `  ${label}`}`
        ])
      ).forEach(print);
    }
  }
};
