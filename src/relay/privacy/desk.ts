/** What can be asked about students' data: shown, exported, forgotten, and everything beyond its time removed. */
import type { Snapshot } from '../../api/index.js';
import type { TelemetryRecord } from '../../events/index.js';
import { createClassState } from '../../insights/index.js';
import type { Course } from '../courses/courseFile.js';
import type { DeadLetter } from '../pipeline/deadLetters.js';
import type { ForgetJob } from './forgetFile.js';
import { createForgetter, type ForgetParts } from './forget.js';
import { createRetention, type RetentionDone } from './retention.js';
import { ensureSecrets, readSecrets } from './secrets.js';
import { pickEvents } from './stored.js';
import { isTheirLetter, subjectOf, type Subject } from './subject.js';
import type { EventLog } from '../log/types.js';
import type { DeadLetters } from '../pipeline/deadLetters.js';

/** What the desk works with. */
export interface DeskParts extends Omit<
  ForgetParts,
  'log' | 'deadLetters' | 'files'
> {
  files: { pseudonyms: string; forget: string; audit: string };
  log: Pick<EventLog, 'read' | 'rewrite'>;
  deadLetters: Pick<DeadLetters, 'list' | 'rewrite'>;
  courses: { all(): readonly Course[]; course(id: string): Course | undefined };
}

/** What a course has of a student. */
export interface StudentReport {
  course: string;
  /** What new events of the student are kept under, where the course keeps no names. */
  pseudonym: string | null;
  events: number;
  byName: Record<string, number>;
  /** ISO 8601 UTC; null where there is no event. */
  first: string | null;
  last: string | null;
  letters: number;
  /** Days after which the course's data go; null for never. */
  retentionDays: number | null;
  /** What the course's page says of the student. */
  derived: Pick<Snapshot, 'sessions' | 'grid'>;
}

/** One thing of an export. */
export type Exported =
  | { kind: 'event'; course: string; event: TelemetryRecord }
  | { kind: 'set_aside'; course: string; letter: DeadLetter }
  | { kind: 'derived'; course: string; report: StudentReport };

/** The desk. */
export interface Desk {
  /** Reports of the courses that have something of the student; with `course`, of that one in any case. */
  show(ask: StudentQuestion): Promise<StudentReport[]>;
  /** Hands out everything that is stored of the student, and what is derived from it. */
  export(ask: StudentQuestion, onPart: (part: Exported) => void): Promise<void>;
  /** Forgets the student in these courses; resolves when the relay's own data are rewritten. */
  forget(ask: StudentQuestion): Promise<ForgetJob[]>;
  jobs(): ForgetJob[];
  /** Does what is due of jobs that were begun. */
  step(): Promise<void>;
  /** Removes what is older than its course says; with `dryRun` only counts. */
  retain(dryRun: boolean, who: string): Promise<RetentionDone>;
}

/** Who asks about whom. */
export interface StudentQuestion {
  student: string;
  /** Whether `student` is a verified user's name, and no other spelling of it is meant. */
  exact?: boolean;
  /** All courses where it is left out. */
  course?: string | undefined;
  /** For the audit log. */
  who: string;
}

/** Raised for a question that cannot be answered; the message says what to ask instead. */
export class PrivacyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PrivacyError';
  }
}

/** Later, the log may have let go of events that PostHog has got since. */
const LATELY_MS = 86_400_000;

/** A desk over an open data folder. */
export function createDesk(parts: DeskParts): Desk {
  const { files, courses, audit } = parts;
  const forgetter = createForgetter(parts);
  const retention = createRetention(parts);

  async function subjects({
    student,
    course,
    exact
  }: StudentQuestion): Promise<{ course: Course; subject: Subject }[]> {
    if (student.trim() === '') {
      throw new PrivacyError('expected the name of a student, got none.');
    }
    await ensureSecrets(files.pseudonyms);
    const secrets = readSecrets(files.pseudonyms);
    const chosen = course === undefined ? courses.all() : [known(course)];
    return chosen.map(one => ({
      course: one,
      subject: subjectOf(one, student, secrets, exact)
    }));
  }

  function known(id: string): Course {
    const course = courses.course(id);
    if (!course) {
      const ids = courses.all().map(({ id }) => id);
      throw new PrivacyError(
        `there is no course ${JSON.stringify(id)}. There are: ${ids.join(', ') || 'none'}.`
      );
    }
    return course;
  }

  /** Everything stored of the students, each once; events in the order of the log. */
  async function collect(
    wanted: readonly { course: Course; subject: Subject }[],
    onPart: (part: Exported) => void
  ): Promise<StudentReport[]> {
    const files = new Map(
      wanted.map(({ course, subject }) => [
        course.id,
        {
          ids: subject.ids,
          state: createClassState({ course: course.id, title: course.title }),
          seen: new Set<string>(),
          report: emptyReport(course, subject)
        }
      ])
    );
    for await (const record of parts.log.read(1)) {
      const file = files.get(record.header.course);
      if (!file) {
        continue;
      }
      const isTheirs = ({ student, distinct_id }: TelemetryRecord): boolean =>
        file.ids.has(student ?? '') || file.ids.has(distinct_id ?? '');
      for (const event of pickEvents(record, isTheirs)) {
        if (file.seen.has(event.uuid ?? '')) {
          continue;
        }
        file.seen.add(event.uuid ?? '');
        file.state.apply(event);
        addTo(file.report, event);
        onPart({ kind: 'event', course: record.header.course, event });
      }
    }
    for (const letter of await parts.deadLetters.list()) {
      const file = files.get(letter.course);
      if (
        file &&
        isTheirLetter(letter.event, id => file.ids.has(id as string))
      ) {
        file.report.letters += 1;
        onPart({ kind: 'set_aside', course: letter.course, letter });
      }
    }
    return [...files.values()].map(({ report, state }) => {
      const { sessions, grid } = state.snapshot();
      report.derived = { sessions, grid };
      return report;
    });
  }

  return {
    async show(ask) {
      const reports = await collect(await subjects(ask), () => undefined);
      for (const { course, pseudonym } of reports) {
        await note('shown', ask, course);
        if (pseudonym !== null && ask.exact !== true) {
          // Who asks by the name is told whose the pseudonym is.
          await note('reidentified', ask, course);
        }
      }
      return ask.course === undefined ? reports.filter(isSomething) : reports;
    },

    async export(ask, onPart) {
      const wanted = await subjects(ask);
      for (const { course } of wanted) {
        await note('exported', ask, course.id);
      }
      for (const report of await collect(wanted, onPart)) {
        if (isSomething(report)) {
          onPart({ kind: 'derived', course: report.course, report });
        }
      }
    },

    async forget(ask) {
      const wanted = await subjects(ask);
      const reports = await collect(wanted, () => undefined);
      const jobs: ForgetJob[] = [];
      for (const [index, report] of reports.entries()) {
        // A course that has nothing needs no job, unless somebody asked for it by name, or PostHog
        // may have what the log has no more.
        if (
          ask.course !== undefined ||
          isSomething(report) ||
          parts.postHogOf(report.course) !== 'none'
        ) {
          const { course } = wanted[index]!;
          const last = isSomething(report) ? undefined : lately(course, ask);
          jobs.push(last ?? (await forgetter.forget(course, ask)));
        }
      }
      return jobs;
    },

    jobs: () => forgetter.jobs(),
    step: () => forgetter.step(),
    retain: (dryRun, who) => retention.run(dryRun, who)
  };

  /** A verified student's deletion of the last day, after which nothing came: asking again changes nothing. */
  function lately(
    { id }: Course,
    { student, exact }: StudentQuestion
  ): ForgetJob | undefined {
    if (exact !== true) {
      return undefined;
    }
    const tag = readSecrets(files.pseudonyms).tag(id, student);
    const since = (parts.now ?? Date.now)() - LATELY_MS;
    return forgetter
      .jobs()
      .filter(
        ({ course, nameTags, requestedAt }) =>
          course === id &&
          nameTags.includes(tag) &&
          Date.parse(requestedAt) >= since
      )
      .at(-1);
  }

  async function note(
    action: 'shown' | 'exported' | 'reidentified',
    { student, who }: StudentQuestion,
    course: string
  ): Promise<void> {
    await audit.write({
      who,
      action,
      course,
      subject: readSecrets(files.pseudonyms).tag(course, student)
    });
  }
}

function emptyReport(course: Course, { pseudonym }: Subject): StudentReport {
  return {
    course: course.id,
    pseudonym,
    events: 0,
    byName: {},
    first: null,
    last: null,
    letters: 0,
    retentionDays: course.notice.retention_days,
    derived: { sessions: [], grid: [] }
  };
}

function addTo(report: StudentReport, event: TelemetryRecord): void {
  const { timestamp } = event;
  report.events += 1;
  report.byName[event.event] = (report.byName[event.event] ?? 0) + 1;
  if (report.first === null || timestamp < report.first) {
    report.first = timestamp;
  }
  if (report.last === null || timestamp > report.last) {
    report.last = timestamp;
  }
}

function isSomething({ events, letters }: StudentReport): boolean {
  return events + letters > 0;
}
