/** `course section`: which students the key of a section's assistant shows. */
import { setSection } from '../relay/courses/editCourses.js';
import { readIfThere } from '../relay/files.js';
import {
  CommandError,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';
import { findPlace } from './place.js';

export const courseSectionCommand: Command = {
  name: 'course section',
  summary: 'Say who belongs to a section, for the keys of its assistants',
  args: ['course', 'section'],
  options: {
    students: {
      value: 'FILE',
      meaning:
        'File with one student a line, as the page shows them; none takes the section away'
    },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'course section python-101 A --students section-a.txt',
    'course section python-101 A --students none'
  ],
  async run(invocation) {
    const { args, options, print } = invocation;
    const file = options['students'];
    if (typeof file !== 'string') {
      throw new UsageError(
        'expected --students with a file of one student a line, got none.'
      );
    }
    const students = file === 'none' ? [] : await readLines(file);
    const { paths } = await findPlace(invocation);
    const [course, section] = [args['course']!, args['section']!];
    await setSection(paths.courses, course, section, students);
    print(
      options['json'] === true
        ? JSON.stringify({ course, section, students: students.length })
        : students.length === 0
          ? `Section ${section} of course ${course} is no more: its assistants see nobody.`
          : `Section ${section} of course ${course} has ${students.length} students.`
    );
  }
};

async function readLines(file: string): Promise<string[]> {
  const text = await readIfThere(file);
  const lines = (text ?? '').split(/\r?\n/).map(line => line.trim());
  const students = [...new Set(lines.filter(line => line !== ''))];
  if (students.length === 0) {
    throw new CommandError(
      `--students: expected a file of one student a line, and ${file} ${text === undefined ? 'is not there' : 'has none'}.`
    );
  }
  return students;
}
