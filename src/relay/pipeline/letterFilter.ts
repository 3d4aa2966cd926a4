/** Which of the letters that were set aside somebody asks for. */
import type { DeadLetter, Settled } from './letterLines.js';

/** A letter in the file. */
export interface StoredLetter extends DeadLetter {
  /** Stable: made of stage, course and uuid. */
  id: string;
  /** `open` until it was replayed or dropped. */
  state: 'open' | Settled;
}

/** Which letters. */
export interface LetterFilter {
  ids?: readonly string[];
  course?: string;
  stage?: string;
  code?: string;
  /** Set aside at this time or later, ISO 8601 UTC. */
  since?: string;
  /** Open ones by default. */
  state?: StoredLetter['state'] | 'all';
}

/** A test for the letters that the filter lets through. */
export function passes({
  ids,
  course,
  stage,
  code,
  since,
  state = 'open'
}: LetterFilter): (letter: StoredLetter) => boolean {
  const wanted = ids && new Set(ids);
  return letter =>
    (wanted === undefined || wanted.has(letter.id)) &&
    (course === undefined || letter.course === course) &&
    (stage === undefined || letter.stage === stage) &&
    (code === undefined || letter.code === code) &&
    (since === undefined || letter.at >= since) &&
    (state === 'all' || letter.state === state);
}
