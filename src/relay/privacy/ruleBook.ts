/** The rules of every course, with its pseudonyms' key and with whom it has forgotten. */
import type { Course } from '../courses/courseFile.js';
import { RelayError } from '../errors.js';
import { readForgetFile } from './forgetFile.js';
import type { Pseudonymizer } from './pseudonyms.js';
import { compileRules, type PrivacyRules } from './rules.js';
import { readSecrets, type Secrets } from './secrets.js';
import { distinctIdOf } from './subject.js';

/** Looks rules up; asked for every request. */
export interface RuleBook {
  /** @throws RelayError `pseudonyms_unavailable` where a course's pseudonyms cannot be made. */
  rulesOf(course: Course): PrivacyRules;
  /** Reads secrets and who is forgotten anew. */
  refresh(): void;
}

/** Most names of a course whose pseudonym or tag is remembered. */
const MAX_NAMES = 50_000;

/** The book over the files of a data folder. */
export function openRuleBook(
  files: { pseudonyms: string; forget: string },
  onProblem: (error: Error) => void = () => undefined
): RuleBook {
  let compiled = new WeakMap<Course, PrivacyRules>();

  function compile(course: Course): PrivacyRules {
    const until = readForgetFile(files.forget).forgotten[course.id];
    const isPseudonymous = course.identity === 'pseudonyms';
    const rules = compileRules(course);
    if (!isPseudonymous && until === undefined) {
      return rules;
    }
    const secrets = readSecrets(files.pseudonyms);
    return {
      ...(isPseudonymous
        ? compileRules({ ...course, pseudonyms: makerOf(course, secrets) })
        : rules),
      ...(until ? { isForgotten: forgottenBy(course.id, until, secrets) } : {}),
      ...(until && !isPseudonymous
        ? {
            distinctIdOf: remembering(student =>
              distinctIdOf(student, secrets.generation(course.id, student))
            )
          }
        : {})
    };
  }

  return {
    rulesOf(course) {
      let rules = compiled.get(course);
      if (!rules) {
        try {
          rules = compile(course);
        } catch (error) {
          onProblem(error as Error);
          throw new RelayError(
            'pseudonyms_unavailable',
            {},
            {},
            { cause: error }
          );
        }
        compiled.set(course, rules);
      }
      return rules;
    },
    refresh() {
      compiled = new WeakMap();
    }
  };
}

function makerOf({ id, pseudonym }: Course, secrets: Secrets): Pseudonymizer {
  const keyId = pseudonym?.keyId ?? '';
  if (!secrets.keyIds(id).includes(keyId)) {
    throw new Error(
      `course ${id}: its key ${JSON.stringify(keyId)} for pseudonyms is missing. Restore pseudonyms.json from a backup, or make a new key with \`privacy rotate ${id}\`.`
    );
  }
  return {
    keyId,
    of: remembering(name => secrets.pseudonym(id, keyId, name)!)
  };
}

function forgottenBy(
  course: string,
  until: Readonly<Record<string, number>>,
  secrets: Secrets
): (student: string, timeMs: number) => boolean {
  // Clients send names, also of one who was forgotten by pseudonym.
  const untilOf = remembering(student =>
    Math.max(
      ...[student, ...secrets.pseudonyms(course, student)].map(
        id => until[secrets.tag(course, id)] ?? -Infinity
      )
    )
  );
  return (student, timeMs) => timeMs <= untilOf(student);
}

/** `make` with its last results at hand: a class has few names and many events. */
function remembering<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return name => {
    let value = known.get(name);
    if (value === undefined) {
      if (known.size >= MAX_NAMES) {
        known.clear();
      }
      value = make(name);
      known.set(name, value);
    }
    return value;
  };
}
