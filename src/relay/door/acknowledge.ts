/** Acknowledges a body as it came, where its course allows that; what is in it is found out afterwards. */
import { againstDurable } from '../courses/acknowledgement.js';
import type { CourseStore, KeyHolder } from '../courses/courseStore.js';
import type { Inbox } from './inbox.js';
import { compileRules } from '../privacy/rules.js';
import { refusal, type Arrival, type IntakeParts } from './intake.js';
import { blankKeys, hidesText, keysIn } from './keyBytes.js';

/** What the door needs for it. */
export type AcknowledgeParts = Pick<IntakeParts, 'courses' | 'rulesOf'> & {
  /**
   * Without one, or while no course wants it, every body is judged before it is acknowledged:
   * looking for keys costs the others something.
   */
  inbox?: Pick<Inbox, 'put'> & { isWanted(): boolean };
};

/**
 * Puts the body into the inbox; resolves to false where it has to be judged first.
 *
 * @throws RelayError if its sender is not to be let in, or it could not be made durable.
 */
export async function acknowledge(
  arrival: Arrival,
  parts: AcknowledgeParts
): Promise<boolean> {
  const { bytes, receivedMs, sentAt, v1, engage } = arrival;
  const holder =
    parts.inbox?.isWanted() === true && !v1 && engage !== true
      ? holderIn(bytes, parts)
      : undefined;
  if (!holder) {
    return false;
  }
  await arrival.admit?.(holder);
  blankKeys(bytes);
  const { course, key } = holder;
  try {
    await parts.inbox!.put(bytes, { course, key, receivedMs, sentAt });
  } catch (error) {
    throw refusal(error);
  }
  return true;
}

/** Tells whether any course wants its bodies acknowledged first; looked up once for each change of the courses. */
export function wantedBy(
  courses: Pick<CourseStore, 'all' | 'revision'>
): () => boolean {
  let revision = -1;
  let wanted = false;
  return () => {
    if (courses.revision !== revision) {
      revision = courses.revision;
      wanted = courses.all().some(({ ack }) => ack === 'durable');
    }
    return wanted;
  };
}

/** Whose key stands in the bytes, if it is just one and its course wants nothing looked at first. */
function holderIn(
  bytes: Buffer,
  { courses, rulesOf }: AcknowledgeParts
): Extract<KeyHolder, { kind: 'known' }> | undefined {
  const [key, another] = keysIn(bytes);
  if (key === undefined || another !== undefined) {
    return undefined;
  }
  const holder = courses.holderOf(key);
  if (holder.kind !== 'known' || holder.course.ack !== 'durable') {
    return undefined;
  }
  const { open, isForgotten, distinctIdOf } = (rulesOf ?? compileRules)(
    holder.course
  );
  const looks =
    hidesText(bytes) ||
    !open ||
    isForgotten !== undefined ||
    distinctIdOf !== undefined ||
    againstDurable(holder.course).length > 0;
  return looks ? undefined : holder;
}
