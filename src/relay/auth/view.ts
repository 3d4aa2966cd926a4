/** What a principal gets to see of a course's rows: all, a section's, or none of the names. */
import { createHmac, randomBytes, randomInt } from 'node:crypto';
import {
  gridKey,
  type Change,
  type Coverage,
  type GridCell,
  type SessionRow,
  type StudentRow
} from '../../api/index.js';
import type { Course } from '../courses/courseFile.js';
import type { Principal } from './principal.js';

/** The members of snapshots and changes that speak of students. */
interface Rows {
  students: StudentRow[];
  sessions: SessionRow[];
  grid: GridCell[];
  coverage: Coverage;
}

/** Makes of rows what may be seen of them; what it is given stays as it is. */
export type View = <T extends Rows | Change>(rows: T) => T;

/**
 * Views of principals. One is kept for as long as the relay runs: it remembers the numbers that
 * stand for names, so that every projector shows the same, and a student keeps one.
 */
export class Views {
  readonly #numbers = new Map<string, Map<string, string>>();
  readonly #secret = randomBytes(32);

  /** The view of a course as it is set up now. */
  of(principal: Principal, course: Course): View {
    if (principal.role === 'display') {
      return rows => this.#withoutNames(rows, course.id);
    }
    if (principal.section === undefined) {
      return rows => rows;
    }
    // A section that was taken away, or never made, has nobody.
    const sections = new Map(Object.entries(course.sections ?? {}));
    const members = new Set(sections.get(principal.section));
    return rows => onlyOf(rows, members);
  }

  /** In another order than that of the names, which would tell some of them. */
  #withoutNames<T extends Rows>(rows: T, course: string): T {
    const numbers = this.#numbersOf(course, rows.students);
    const anonymous = <R extends { student: string }>(row: R): R => ({
      ...row,
      student: numbers.get(row.student) ?? 'Student'
    });
    const students = rows.students.map(anonymous);
    const grid = rows.grid.map(anonymous);
    return {
      ...rows,
      students: students.sort((a, b) => ascending(a.student, b.student)),
      sessions: rows.sessions.map(row => ({
        ...anonymous(row),
        session: this.#digest(row.session)
      })),
      grid: grid.sort((a, b) => ascending(gridKey(a), gridKey(b)))
    };
  }

  #numbersOf(
    course: string,
    students: readonly StudentRow[]
  ): ReadonlyMap<string, string> {
    const numbers = this.#numbers.get(course) ?? new Map<string, string>();
    this.#numbers.set(course, numbers);
    const unknown = students
      .map(({ student }) => student)
      .filter(student => !numbers.has(student));
    for (let left = unknown.length; left > 0; left -= 1) {
      const [student] = unknown.splice(randomInt(left), 1);
      const number = String(numbers.size + 1).padStart(3, '0');
      numbers.set(student!, `Student ${number}`);
    }
    return numbers;
  }

  #digest(text: string): string {
    return createHmac('sha256', this.#secret)
      .update(text)
      .digest('hex')
      .slice(0, 8);
  }
}

function onlyOf<T extends Rows>(rows: T, members: ReadonlySet<string>): T {
  const isMember = ({ student }: { student: string }): boolean =>
    members.has(student);
  return {
    ...rows,
    students: rows.students.filter(isMember),
    sessions: rows.sessions.filter(isMember),
    grid: rows.grid.filter(isMember)
  };
}

function ascending(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
