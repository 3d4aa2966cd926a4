/** Removes what is older than its course's notice says: from the log, the dead letters and the answers; and old lines of the audit log. */
import type { TelemetryRecord } from '../../events/index.js';
import type { Course } from '../courses/courseFile.js';
import type { EventLog, LogRecord } from '../log/types.js';
import type { DeadLetters } from '../pipeline/deadLetters.js';
import { pruneAudit, type Audit } from './audit.js';
import { ageOf, pickEvents, withoutEvents } from './stored.js';

/** What retention works with. */
export interface RetentionParts {
  files: { audit: string };
  log: Pick<EventLog, 'read' | 'rewrite'>;
  deadLetters: Pick<DeadLetters, 'list' | 'rewrite'>;
  courses: { all(): readonly Course[] };
  audit: Audit;
  refold: (course: string) => Promise<void>;
  now?: () => number;
}

/** What is too old, or was. */
export interface RetentionDone {
  dryRun: boolean;
  courses: RetentionCount[];
}

/** Of one course. */
export interface RetentionCount {
  course: string;
  days: number;
  /** Events before this time go; ISO 8601 UTC. */
  before: string;
  events: number;
  letters: number;
  /** Days (UTC) of the oldest and the newest event that goes; null where none does. */
  from: string | null;
  to: string | null;
}

/** How long the audit log keeps its lines, in days. */
export const AUDIT_DAYS = 1095;

const DAY_MS = 86_400_000;

/** Retention over an open data folder. */
export function createRetention(parts: RetentionParts): {
  run(dryRun: boolean, who: string): Promise<RetentionDone>;
} {
  const { audit, now = Date.now } = parts;

  function counts(): Map<string, RetentionCount & { beforeMs: number }> {
    return new Map(
      parts.courses.all().flatMap(({ id, notice }) => {
        const days = notice.retention_days;
        if (days === null) {
          return [];
        }
        const beforeMs = now() - days * DAY_MS;
        const before = new Date(beforeMs).toISOString();
        const nothing = { events: 0, letters: 0, from: null, to: null };
        return [[id, { course: id, days, before, beforeMs, ...nothing }]];
      })
    );
  }

  return {
    async run(dryRun, who) {
      const byCourse = counts();
      const change = (record: LogRecord): ReturnType<typeof withoutEvents> => {
        const count = byCourse.get(record.header.course);
        return count
          ? withoutEvents(
              record,
              event => ageOf(event, record.header) < count.beforeMs,
              event => add(count, ageOf(event, record.header))
            )
          : 'keep';
      };
      const isOld = ({
        course,
        at
      }: {
        course: string;
        at: string;
      }): boolean => {
        const count = byCourse.get(course);
        const old = count !== undefined && Date.parse(at) < count.beforeMs;
        if (old) {
          count.letters += 1;
        }
        return old;
      };

      if (dryRun) {
        for await (const record of parts.log.read(1)) {
          const count = byCourse.get(record.header.course);
          if (count) {
            const age = (event: TelemetryRecord): number =>
              ageOf(event, record.header);
            pickEvents(record, event => age(event) < count.beforeMs).forEach(
              event => add(count, age(event))
            );
          }
        }
        (await parts.deadLetters.list()).forEach(isOld);
      } else {
        await parts.log.rewrite(change);
        await parts.deadLetters.rewrite(letter =>
          isOld(letter) ? 'drop' : 'keep'
        );
      }

      const done = [...byCourse.values()].map(
        ({ beforeMs: _ms, ...count }) => count
      );
      if (!dryRun) {
        for (const { course, before, events, letters } of done) {
          if (events + letters > 0) {
            await parts.refold(course);
            await audit.write({
              who,
              action: 'retention',
              course,
              details: { before, events, letters }
            });
          }
        }
        await pruneAudit(
          parts.files.audit,
          new Date(now() - AUDIT_DAYS * DAY_MS).toISOString()
        );
      }
      return { dryRun, courses: done };
    }
  };
}

function add(count: RetentionCount, ms: number): void {
  const day = new Date(ms).toISOString().slice(0, 10);
  count.events += 1;
  count.from = count.from === null || day < count.from ? day : count.from;
  count.to = count.to === null || day > count.to ? day : count.to;
}
