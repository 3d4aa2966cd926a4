/** The running relay's view of courses.json: what another process changes there holds a moment later. */
import { readFileSync, statSync } from 'node:fs';
import { hashSecret, kindOf, sameHash, type KeyKind } from './keys.js';
import {
  parseCourseFile,
  type Course,
  type CourseFile,
  type CourseKey
} from './courseFile.js';

/** Whom a key belongs to. */
export type KeyHolder =
  | { kind: 'known'; key: CourseKey; course: Course }
  | { kind: 'revoked' }
  | { kind: 'expired' }
  | { kind: 'unknown' };

/** Courses and keys by what requests know of them. */
export interface CourseStore {
  /** Judges a write key in plain text; a key that only reads is none. */
  holderOf(key: string): KeyHolder;
  /** Judges a key that reads; `write` for one that has the form of a write key. */
  readerOf(key: string): KeyHolder | { kind: 'write' };
  /** The key that reads with this id, while it is valid. */
  readerById(id: string): CourseKey | undefined;
  course(id: string): Course | undefined;
  all(): readonly Course[];
  /** Grows by one whenever the courses change. */
  readonly revision: number;
}

/** Longest time in which a change of the file may go unnoticed. */
export const RECHECK_MS = 100;

/**
 * Opens the file, which need not exist yet.
 *
 * @param onProblem told once of each content that cannot be used; the last good one stays in force.
 * @throws CourseFileError if what is there at the start cannot be used.
 */
export function openCourseStore(
  file: string,
  onProblem: (error: Error) => void
): CourseStore {
  return new FileCourseStore(file, onProblem);
}

class FileCourseStore implements CourseStore {
  #revision = 0;
  #courses = new Map<string, Course>();
  #keys = new Map<string, CourseKey>();
  #byId = new Map<string, CourseKey>();
  #mark = '';
  #checkedAt = 0;

  constructor(
    private readonly file: string,
    private readonly onProblem: (error: Error) => void
  ) {
    this.#mark = this.#look();
    this.#load();
    this.#checkedAt = performance.now();
  }

  get revision(): number {
    this.#recheck(RECHECK_MS);
    return this.#revision;
  }

  holderOf(key: string): KeyHolder {
    return kindOf(key) === 'write'
      ? this.#judge(key, 'write')
      : { kind: 'unknown' };
  }

  readerOf(key: string): KeyHolder | { kind: 'write' } {
    const kind = kindOf(key);
    return kind === undefined
      ? { kind: 'unknown' }
      : kind === 'write'
        ? { kind }
        : this.#judge(key, kind);
  }

  readerById(id: string): CourseKey | undefined {
    this.#recheck(RECHECK_MS);
    const key = this.#byId.get(id);
    return key && key.kind !== 'write' && this.#stateOf(key).kind === 'known'
      ? key
      : undefined;
  }

  #judge(key: string, kind: KeyKind): KeyHolder {
    const hash = hashSecret(key);
    this.#recheck(RECHECK_MS);
    if (!this.#keys.has(hash)) {
      // It may have been made this very moment.
      this.#recheck(0);
    }
    const found = this.#keys.get(hash);
    return found && found.kind === kind && sameHash(found.sha256, hash)
      ? this.#stateOf(found)
      : { kind: 'unknown' };
  }

  #stateOf(key: CourseKey): KeyHolder {
    if (key.revoked !== undefined) {
      return { kind: 'revoked' };
    }
    if (key.expires !== undefined && Date.parse(key.expires) <= Date.now()) {
      return { kind: 'expired' };
    }
    const course = this.#courses.get(key.course);
    return course ? { kind: 'known', key, course } : { kind: 'unknown' };
  }

  course(id: string): Course | undefined {
    this.#recheck(RECHECK_MS);
    return this.#courses.get(id);
  }

  all(): readonly Course[] {
    this.#recheck(RECHECK_MS);
    return [...this.#courses.values()];
  }

  /** Looking at the file's dates costs microseconds, and unlike a watcher misses nothing. */
  #recheck(afterMs: number): void {
    const now = performance.now();
    if (now - this.#checkedAt < afterMs) {
      return;
    }
    this.#checkedAt = now;
    const mark = this.#look();
    if (mark === this.#mark) {
      return;
    }
    this.#mark = mark;
    try {
      if (mark === '') {
        // Refusing every key makes clients throw their events away; a file may be gone by mistake.
        throw new Error(`${this.file} is gone; the courses stay as they were.`);
      }
      this.#load();
    } catch (error) {
      this.onProblem(error as Error);
    }
  }

  #look(): string {
    const found = statSync(this.file, { throwIfNoEntry: false, bigint: true });
    return found ? `${found.ino} ${found.mtimeNs} ${found.size}` : '';
  }

  #load(): void {
    const content: CourseFile = parseCourseFile(read(this.file), this.file);
    this.#courses = new Map(content.courses.map(course => [course.id, course]));
    this.#keys = new Map(content.keys.map(key => [key.sha256, key]));
    this.#byId = new Map(content.keys.map(key => [key.id, key]));
    this.#revision += 1;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
