/** Ids that page and kernel make alike without talking, and the session id. */
import { customAlphabet } from 'nanoid';
import { v5, v7 } from 'uuid';

/** Namespace of our UUIDv5: RFC 4122's for object identifiers. */
export const ID_NAMESPACE = '6ba7b812-9dad-11d1-80b4-00c04fd430c8';

/** Letters and digits that cannot be taken for one another (no 0 O 1 I l). */
export const SESSION_ALPHABET =
  '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

const session = customAlphabet(SESSION_ALPHABET, 8);

/** Id of the run that `execute_request` `msgId` asked for. */
export function cellRunId(msgId: string): string {
  return v5(`${msgId}/cell`, ID_NAMESPACE);
}

/**
 * Id of a test's result within that run.
 *
 * @param ordinal counts the calls of the test `name` within the run, from 1.
 */
export function testResultId(
  msgId: string,
  name: string,
  ordinal: number
): string {
  return v5(`${msgId}/test/${name}/${ordinal}`, ID_NAMESPACE);
}

/** Id of the end of session `sess` as `src` tells it: told twice, it counts once. */
export function sessionEndId(sess: string, src: 'lab' | 'kernel'): string {
  return v5(`${sess}/end/${src}`, ID_NAMESPACE);
}

/** Id of everything that only one side sees. Sorts by time. */
export function eventId(): string {
  return v7();
}

/** A new session id: 8 characters. */
export function sessionId(): string {
  return session();
}
