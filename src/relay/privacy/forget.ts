/** Forgets students: takes up jobs that are noted durably and does their steps, each of which may be repeated after a crash. */
import type { Course } from '../courses/courseFile.js';
import type { DeadLetter, DeadLetters } from '../pipeline/deadLetters.js';
import type { EventLog } from '../log/types.js';
import { isObject } from '../wire/shapes.js';
import type { Audit } from './audit.js';
import {
  addJob,
  readForgetFile,
  saveJob,
  type ForgetJob
} from './forgetFile.js';
import type { PostHogPersons } from './postHogPersons.js';
import { ensureSecrets, readSecrets, setGeneration } from './secrets.js';
import { ageOf, withoutEvents } from './stored.js';
import { isTheirLetter, matcherOf, subjectOf } from './subject.js';

/** What forgetting works with. */
export interface ForgetParts {
  files: { pseudonyms: string; forget: string };
  log: Pick<EventLog, 'rewrite'>;
  deadLetters: Pick<DeadLetters, 'rewrite'>;
  audit: Audit;
  /** Whether the course's events go to a PostHog, and how its persons are deleted; null for nobody's key. */
  postHogOf: (course: string) => 'none' | PostHogPersons | null;
  /** Called when who is forgotten has changed: rules are looked up anew. */
  onForgotten: () => void;
  /** Takes the student out of the course's settings. */
  unlist: (
    course: string,
    matches: (student: string) => boolean
  ) => Promise<void>;
  /** Folds a course's answers anew from the log. */
  refold: (course: string) => Promise<void>;
  now?: () => number;
  /** Pause between questions to PostHog, and until it is all looked at again, in ms. */
  pollMs?: number;
  recheckMs?: number;
}

/** Whom to forget, and who asks. */
export interface ForgetQuestion {
  student: string;
  exact?: boolean;
  who: string;
}

/** Forgets, one student after the other. */
export interface Forgetter {
  /** Notes the job and does what can be done now; resolves when the relay's own data are rewritten. */
  forget(course: Course, ask: ForgetQuestion): Promise<ForgetJob>;
  /** Does every step that is due. */
  step(): Promise<void>;
  jobs(): ForgetJob[];
}

const POLL_MS = 10 * 60_000;
const RECHECK_MS = 7 * 86_400_000;

/** A forgetter; whoever makes it sees to it that no second one works on the same folder. */
export function createForgetter(parts: ForgetParts): Forgetter {
  const { files, audit, now = Date.now } = parts;
  const { pollMs = POLL_MS, recheckMs = RECHECK_MS } = parts;
  let turn: Promise<unknown> = Promise.resolve();

  const iso = (ms: number): string => new Date(ms).toISOString();
  const later = (ms: number): string => iso(now() + ms);
  const jobs = (): ForgetJob[] => readForgetFile(files.forget).jobs;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  }

  async function save(
    job: ForgetJob,
    changes: Partial<ForgetJob>
  ): Promise<ForgetJob> {
    const next = { ...job, ...changes };
    await saveJob(files.forget, next);
    return next;
  }

  async function begin(
    course: Course,
    { student, who, exact }: ForgetQuestion
  ): Promise<ForgetJob> {
    await ensureSecrets(files.pseudonyms);
    const secrets = readSecrets(files.pseudonyms);
    const { ids, names, generation } = subjectOf(
      course,
      student,
      secrets,
      exact
    );
    const tag = (id: string): string => secrets.tag(course.id, id);
    const known = names.filter(name => ids.has(name));
    const asked = parts.postHogOf(course.id);
    const keptNames =
      course.identity === 'names' || course.pseudonym?.namesBefore === true;
    const told = [...ids].filter(id => keptNames || !names.includes(id));
    return addJob(files.forget, {
      course: course.id,
      tags: [...ids].map(tag),
      nameTags: (known.length > 0 ? known : [...ids]).map(tag),
      generation: generation + 1,
      who,
      requestedAt: iso(now()),
      state: 'local',
      // A name only where PostHog may have it from us already.
      ...(asked === 'none' || asked === null
        ? {}
        : { sealedIds: secrets.seal(JSON.stringify(told)) }),
      posthog:
        asked === 'none' ? 'none' : asked === null ? 'by_hand' : 'pending',
      attempts: 0,
      removed: { events: 0, letters: 0 }
    });
  }

  /** Rewrites what the relay has itself. */
  async function rewrite(job: ForgetJob): Promise<ForgetJob['removed']> {
    const secrets = readSecrets(files.pseudonyms);
    const matches = matcherOf(job.tags, id => secrets.tag(job.course, id));
    const until = Date.parse(job.requestedAt);
    const removed = { events: 0, letters: 0 };
    await parts.log.rewrite(record =>
      record.header.course === job.course
        ? withoutEvents(
            record,
            event =>
              (matches(event.student) || matches(event.distinct_id)) &&
              ageOf(event, record.header) <= until,
            () => (removed.events += 1)
          )
        : 'keep'
    );
    const { dropped } = await parts.deadLetters.rewrite(letter =>
      letter.course === job.course &&
      timeOf(letter) <= until &&
      isTheirLetter(letter.event, matches)
        ? 'drop'
        : 'keep'
    );
    removed.letters = dropped;
    await parts.unlist(job.course, student =>
      [student, ...secrets.pseudonyms(job.course, student)].some(matches)
    );
    await parts.refold(job.course);
    return removed;
  }

  async function doLocal(job: ForgetJob): Promise<ForgetJob> {
    // First of all: from now on the door lets nothing in again.
    await setGeneration(files.pseudonyms, job.nameTags, job.generation);
    parts.onForgotten();
    const removed = await rewrite(job);
    await note(job, 'forgotten', removed);
    return save(job, {
      removed,
      ...(job.posthog === 'pending'
        ? { state: 'posthog' }
        : { state: 'recheck', nextAt: later(recheckMs) })
    });
  }

  async function doPostHog(job: ForgetJob): Promise<ForgetJob> {
    const { problem: _past, ...rest } = await removeFound(job);
    return save(rest, {
      state: 'confirming',
      posthog: 'requested',
      posthogRequestedAt: iso(now()),
      nextAt: later(pollMs)
    });
  }

  async function doConfirm(job: ForgetJob): Promise<ForgetJob> {
    const { problem: _past, ...rest } = await removeFound(job);
    if (rest.persons.length > 0) {
      return (await personsOf(job).areGone(rest.persons))
        ? confirmed(rest, recheckMs)
        : save(rest, { nextAt: later(pollMs) });
    }
    // Nobody there may also mean that PostHog has not worked on what it was sent, or that it still
    // waits in the log: it is asked again, ever more rarely, before that is believed.
    const age = now() - Date.parse(job.requestedAt);
    return age >= recheckMs
      ? confirmed(rest, 0)
      : save(rest, {
          nextAt: later(Math.max(pollMs, Math.min(age, recheckMs - age)))
        });
  }

  function confirmed(job: ForgetJob, restMs: number): Promise<ForgetJob> {
    return save(job, {
      state: 'recheck',
      posthog: 'confirmed',
      posthogConfirmedAt: iso(now()),
      nextAt: later(restMs)
    });
  }

  /** After a week: what a reader held in memory then has been written by now, if it ever is. */
  async function doRecheck(job: ForgetJob): Promise<ForgetJob> {
    const again = await rewrite(job);
    let checked = job;
    if (job.sealedIds !== undefined) {
      const { persons, ...rest } = await removeFound(job);
      checked = { ...rest, persons };
      if (!(await personsOf(job).areGone(persons))) {
        if (persons.length === job.persons?.length) {
          await personsOf(job).remove(persons);
        }
        return save(checked, {
          state: 'confirming',
          posthog: 'requested',
          nextAt: later(pollMs)
        });
      }
    }
    await note(job, 'forget_checked', again);
    const {
      nextAt: _done,
      sealedIds: _told,
      problem: _past,
      ...rest
    } = checked;
    return save(rest, { state: 'done', checkedAt: iso(now()) });
  }

  /** Looks up whom PostHog knows by now as the student, and has them deleted whom it did not know before. */
  async function removeFound(
    job: ForgetJob
  ): Promise<ForgetJob & { persons: string[] }> {
    const postHog = personsOf(job);
    const ids = readSecrets(files.pseudonyms).unseal(job.sealedIds!);
    const known = job.persons ?? [];
    const found = await postHog.find([...new Set(JSON.parse(ids) as string[])]);
    const fresh = found.filter(person => !known.includes(person));
    if (fresh.length > 0) {
      await postHog.remove(fresh);
    }
    return { ...job, persons: [...known, ...fresh] };
  }

  function personsOf(job: ForgetJob): PostHogPersons {
    const persons = parts.postHogOf(job.course);
    if (persons === null || persons === 'none') {
      throw new Error(
        `the personal key of course ${job.course}'s PostHog is missing. Start the relay with its variable set.`
      );
    }
    return persons;
  }

  async function note(
    job: ForgetJob,
    action: 'forgotten' | 'forget_checked',
    { events, letters }: ForgetJob['removed']
  ): Promise<void> {
    await audit.write({
      who: job.who,
      action,
      course: job.course,
      ...(job.tags[0] === undefined ? {} : { subject: job.tags[0] }),
      details: { job: job.id, events, letters, posthog: job.posthog }
    });
  }

  const STEPS = {
    local: doLocal,
    posthog: doPostHog,
    confirming: doConfirm,
    recheck: doRecheck
  };

  /** Does the job's steps until one has to wait. */
  async function advance(first: ForgetJob): Promise<ForgetJob> {
    let job = first;
    while (job.state !== 'done' && (job.nextAt ?? '') <= iso(now())) {
      const { state } = job;
      try {
        job = await STEPS[state](job);
      } catch (error) {
        if (state === 'local') {
          throw error;
        }
        return save(job, {
          problem: (error as Error).message,
          attempts: job.attempts + 1,
          nextAt: later(pollMs)
        });
      }
    }
    return job;
  }

  return {
    jobs,
    forget: (course, ask) =>
      inTurn(async () => {
        const job = await begin(course, ask);
        await audit.write({
          who: ask.who,
          action: 'forget_requested',
          course: course.id,
          subject: job.tags[0]!,
          details: { job: job.id }
        });
        return advance(job);
      }),
    step: () =>
      inTurn(async () => {
        const problems: unknown[] = [];
        for (const job of jobs()) {
          // What keeps one student's deletion from going on keeps nobody else's.
          await advance(job).catch((error: unknown) => problems.push(error));
        }
        if (problems.length > 0) {
          throw problems[0];
        }
      })
  };
}

/** Ms since 1970 by which a letter is old: when its event happened, where that can be told. */
function timeOf({ at, event }: DeadLetter): number {
  const { timestamp } = isObject(event) ? event : {};
  const own = typeof timestamp === 'string' ? Date.parse(timestamp) : NaN;
  return Number.isNaN(own) ? Date.parse(at) : Math.min(own, Date.parse(at));
}
