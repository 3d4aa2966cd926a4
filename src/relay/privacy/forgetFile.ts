/** What is durable about forgetting: who is forgotten up to when, and the jobs that are under way; students by keyed hash. */
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { updateJson } from '../files.js';
import { withoutInherited } from '../wire/shapes.js';

/** Where a job is. Each step can be repeated, so a job that was interrupted begins its step anew. */
export type ForgetState =
  /** The relay's own data are being rewritten. */
  | 'local'
  /** PostHog is to be asked. */
  | 'posthog'
  /** PostHog has been asked, and says when it is done. */
  | 'confirming'
  /** All is gone; it is looked at again after a week. */
  | 'recheck'
  | 'done';

/** One student of one course who is being forgotten. */
export interface ForgetJob {
  id: string;
  course: string;
  /** Hashes of the student's name and pseudonyms. */
  tags: string[];
  /** Hashes of the name's spellings alone, or of the pseudonym where that was given. */
  nameTags: string[];
  /** How often the student is forgotten with this job. */
  generation: number;
  who: string;
  /** ISO 8601 UTC, as the next ones. Events up to here are forgotten. */
  requestedAt: string;
  state: ForgetState;
  /** Not before then. */
  nextAt?: string;
  /** Under what PostHog may know the student, as JSON, sealed with the relay's secrets; until all is checked. */
  sealedIds?: string;
  /** PostHog's ids of the persons deleted. */
  persons?: string[];
  posthog: PostHogState;
  posthogRequestedAt?: string;
  posthogConfirmedAt?: string;
  /** Why the last attempt did not do. */
  problem?: string;
  attempts: number;
  removed: { events: number; letters: number };
  checkedAt?: string;
}

/** How far PostHog is. */
export type PostHogState =
  /** The course's events go to no PostHog. */
  | 'none'
  /** The relay has no personal key for it: a person has to be deleted by hand. */
  | 'by_hand'
  | 'pending'
  | 'requested'
  | 'confirmed';

/** The file's content. */
export interface ForgetFile {
  /** By course and tag: ms since 1970 up to which events are forgotten. */
  forgotten: Record<string, Record<string, number>>;
  jobs: ForgetJob[];
}

/** Reads the file; nothing where there is none. @throws Error if it holds something else. */
export function readForgetFile(file: string): ForgetFile {
  try {
    return parse(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return emptyFile();
    }
    throw error;
  }
}

/** Notes who is forgotten from now on, with the job that makes it so, in one step. */
export async function addJob(
  file: string,
  job: Omit<ForgetJob, 'id'>
): Promise<ForgetJob> {
  const added = { ...job, id: `f_${randomUUID().slice(0, 8)}` };
  await edit(file, content => {
    const own = (content.forgotten[job.course] ??= {});
    for (const tag of job.tags) {
      own[tag] = Date.parse(job.requestedAt);
    }
    content.jobs.push(added);
  });
  return added;
}

/** Replaces a job. */
export function saveJob(file: string, job: ForgetJob): Promise<void> {
  return edit(file, content => {
    content.jobs = content.jobs.map(other =>
      other.id === job.id ? job : other
    );
  });
}

function edit(
  file: string,
  change: (content: ForgetFile) => void
): Promise<void> {
  return updateJson(
    file,
    text => (text === undefined ? emptyFile() : parse(text, file)),
    content => {
      change(content);
      return content;
    }
  );
}

function emptyFile(): ForgetFile {
  return { forgotten: withoutInherited({}), jobs: [] };
}

function parse(text: string, file: string): ForgetFile {
  let value: Partial<ForgetFile> | null = null;
  try {
    value = JSON.parse(text) as Partial<ForgetFile> | null;
  } catch {
    // Said below.
  }
  if (typeof value?.forgotten !== 'object' || !Array.isArray(value.jobs)) {
    throw new Error(
      `${file}: expected {"forgotten": {…}, "jobs": […]}. Restore it from a backup.`
    );
  }
  const { forgotten, jobs } = value as ForgetFile;
  return { forgotten: withoutInherited(forgotten), jobs };
}
