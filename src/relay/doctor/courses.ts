/** Looks at the courses: whether their file can be read, and whether anybody can write to them. */
import { readIfThere } from '../files.js';
import { parseCourseFile, type CourseFile } from '../courses/courseFile.js';
import { about, type Finding } from './findings.js';

const courses = about('courses');

/** Reads the file. @returns null in place of the content where it cannot be used. */
export async function readCourses(
  path: string
): Promise<{ content: CourseFile | null; findings: Finding[] }> {
  try {
    const content = parseCourseFile(await readIfThere(path), path);
    return { content, findings: judgeCourses(content, Date.now()) };
  } catch (error) {
    return {
      content: null,
      findings: [
        courses.problem(
          (error as Error).message,
          'Restore the file from a backup; a running relay goes on with what it read last.'
        )
      ]
    };
  }
}

/** What the content amounts to. @param now in ms since 1970. */
export function judgeCourses(
  { courses: all, keys }: CourseFile,
  now: number
): Finding[] {
  if (all.length === 0) {
    return [
      courses.warn(
        'there is none, so nothing can be sent here',
        'Make one: ipynb-telemetry course add ID --title TITLE'
      )
    ];
  }
  const withKey = new Set(
    keys
      .filter(
        ({ kind, revoked, expires }) =>
          kind === 'write' &&
          revoked === undefined &&
          (expires === undefined || Date.parse(expires) > now)
      )
      .map(({ course }) => course)
  );
  const without = all.filter(({ id }) => !withKey.has(id)).map(({ id }) => id);
  return [
    without.length > 0
      ? courses.warn(
          `no valid key to write with: ${without.join(', ')}`,
          `Make one: ipynb-telemetry key add ${without[0]}`
        )
      : courses.ok(`${all.length}, each with a key to write with`)
  ];
}
