/** The secrets behind pseudonyms, in a file of the data folder that only its owner may read: a key for each course, and one for hashes of the relay's own. */
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { customAlphabet } from 'nanoid';
import { updateJson } from '../files.js';
import { withoutInherited } from '../wire/shapes.js';
import { seal, unseal } from './seal.js';

/** Keys of one course, by id; the one that is in use is named in the course's settings. */
interface CourseSecrets {
  keys: Record<string, { key: string; created: string }>;
}

/** The file's content. */
interface SecretsFile {
  /** Key of the relay's own hashes of students, base64. */
  tagKey: string;
  courses: Record<string, CourseSecrets>;
  /** How often a student was forgotten, by tag: each time they get another pseudonym. */
  generations: Record<string, number>;
}

/** What the relay knows behind pseudonyms, as it was read. */
export interface Secrets {
  /** A hash of a student of a course that says nothing without the relay's key. */
  tag(course: string, student: string): string;
  /** How often the student was forgotten, by name or by a pseudonym. */
  generation(course: string, student: string): number;
  /** The pseudonym of a student under one of the course's keys; undefined if there is no such key. */
  pseudonym(
    course: string,
    keyId: string,
    student: string,
    generation?: number
  ): string | undefined;
  /** All pseudonyms of a student under the course's keys, of whom was forgotten up to `upTo` times. */
  pseudonyms(course: string, student: string, upTo?: number): string[];
  /** Ids of a course's keys, the oldest first. */
  keyIds(course: string): string[];
  /** The text, encrypted so that only who has this file can read it. */
  seal(text: string): string;
  /** What was sealed. @throws Error if it was not sealed with this file. */
  unseal(sealed: string): string;
}

/** How every pseudonym looks: `p_` and 130 bits in base32. */
export const PSEUDONYM = /^p_[a-z2-7]{26}$/;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const CHARS = 26;
const KEY_BYTES = 32;
const mintId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 8);

/** Raised for a file of secrets that cannot be used: pseudonyms are then made by nobody. */
export class SecretsError extends Error {
  constructor(file: string, problem: string) {
    super(`${file}: ${problem}. Restore it from a backup.`);
    this.name = 'SecretsError';
  }
}

/**
 * Reads the secrets.
 *
 * @throws SecretsError if the file holds something else, or is missing.
 */
export function readSecrets(file: string): Secrets {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SecretsError(
      file,
      `cannot be read (${(error as NodeJS.ErrnoException).code})`
    );
  }
  return secretsOf(parse(text, file));
}

/** Makes the file where it is missing, and nothing else. */
export async function ensureSecrets(file: string): Promise<void> {
  await updateJson(
    file,
    text => (text === undefined ? undefined : parse(text, file)),
    content => (content === undefined ? emptyFile() : undefined)
  );
}

/** The id of the course's newest key; makes one where there is none, or with `fresh` in any case. */
export async function ensureCourseKey(
  file: string,
  course: string,
  fresh = false
): Promise<string> {
  let id = '';
  await edit(file, content => {
    const own = (content.courses[course] ??= { keys: {} });
    id = fresh ? '' : (sortedIds(own).at(-1) ?? '');
    if (id !== '') {
      return undefined;
    }
    id = `pk_${mintId()}`;
    own.keys[id] = {
      key: randomBytes(KEY_BYTES).toString('base64'),
      created: new Date().toISOString()
    };
    return content;
  });
  return id;
}

/** Destroys a course's keys but `keep`: nobody can tell any more whose the pseudonyms made with them were. Returns their ids. */
export async function destroyKeys(
  file: string,
  course: string,
  keep: string
): Promise<string[]> {
  const gone: string[] = [];
  await edit(file, content => {
    const own = content.courses[course];
    for (const id of Object.keys(own?.keys ?? {})) {
      if (id !== keep) {
        delete own!.keys[id];
        gone.push(id);
      }
    }
    return gone.length > 0 ? content : undefined;
  });
  return gone;
}

/** Sets how often a student was forgotten, by the tags of their name or pseudonym; idempotent, so that a repeated step counts once. */
export async function setGeneration(
  file: string,
  tags: readonly string[],
  generation: number
): Promise<void> {
  await edit(file, content => {
    for (const tag of tags) {
      content.generations[tag] = generation;
    }
    return content;
  });
}

function edit(
  file: string,
  change: (content: SecretsFile) => SecretsFile | undefined
): Promise<void> {
  return updateJson(
    file,
    text => (text === undefined ? emptyFile() : parse(text, file)),
    change
  );
}

function secretsOf(content: SecretsFile): Secrets {
  const tagKey = Buffer.from(content.tagKey, 'base64');
  const tag = (course: string, student: string): string =>
    base32(hmac(tagKey, JSON.stringify([course, student])));
  const keyIds = (course: string): string[] =>
    sortedIds(content.courses[course]);
  const timesOf = (course: string, id: string): number =>
    content.generations[tag(course, id)] ?? 0;

  function generation(course: string, student: string): number {
    let n = timesOf(course, student);
    // Of one who was forgotten by pseudonym, only that is noted.
    while (under(course, student, n).some(id => timesOf(course, id) > 0)) {
      n += 1;
    }
    return n;
  }

  function pseudonym(
    course: string,
    keyId: string,
    student: string,
    n = generation(course, student)
  ): string | undefined {
    const secret = content.courses[course]?.keys[keyId];
    if (!secret) {
      return undefined;
    }
    const text = n === 0 ? student : `${student}\u0000${n}`;
    return `p_${base32(hmac(Buffer.from(secret.key, 'base64'), text))}`;
  }

  const under = (course: string, student: string, n: number): string[] =>
    keyIds(course).map(key => pseudonym(course, key, student, n)!);

  return {
    tag,
    generation,
    pseudonym,
    pseudonyms(course, student, upTo = generation(course, student)) {
      return Array.from({ length: upTo + 1 }, (_, n) =>
        under(course, student, n)
      ).flat();
    },
    keyIds,
    seal: text => seal(tagKey, text),
    unseal: sealed => unseal(tagKey, sealed)
  };
}

function sortedIds(own: CourseSecrets | undefined): string[] {
  return Object.entries(own?.keys ?? {})
    .sort(([, a], [, b]) => (a.created < b.created ? -1 : 1))
    .map(([id]) => id);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The first 130 bits. */
function base32(bytes: Buffer): string {
  let text = '';
  for (let bit = 0; text.length < CHARS; bit += 5) {
    const word = bytes.readUInt16BE(bit >> 3);
    text += ALPHABET[(word >> (11 - (bit & 7))) & 31]!;
  }
  return text;
}

function emptyFile(): SecretsFile {
  return {
    tagKey: randomBytes(KEY_BYTES).toString('base64'),
    courses: withoutInherited({}),
    generations: withoutInherited({})
  };
}

function parse(text: string, file: string): SecretsFile {
  let value: Partial<SecretsFile> | null;
  try {
    value = JSON.parse(text) as Partial<SecretsFile> | null;
  } catch {
    throw new SecretsError(file, 'expected JSON, got something else');
  }
  if (
    typeof value?.tagKey !== 'string' ||
    Buffer.from(value.tagKey, 'base64').length !== KEY_BYTES ||
    typeof value.courses !== 'object' ||
    typeof value.generations !== 'object'
  ) {
    throw new SecretsError(file, 'expected {tagKey, courses, generations}');
  }
  const { tagKey, courses, generations } = value as SecretsFile;
  return {
    tagKey,
    courses: withoutInherited(courses),
    generations: withoutInherited(generations)
  };
}
