/** Takes the events of one request in: judged, freed of what must not be kept, and durable before it returns. */
import { SELECTABLE_EVENTS } from '../../events/index.js';
import {
  eventsOf,
  type Course,
  type CourseKey
} from '../courses/courseFile.js';
import type { CourseStore, KeyHolder } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import {
  LogUnavailableError,
  MAX_BODY_BYTES,
  type EventLog,
  type RecordHeader
} from '../log/types.js';
import type { StudentCheck } from '../hub/students.js';
import type { DeadLetters } from '../pipeline/deadLetters.js';
import { hidesMembers } from '../privacy/hidden.js';
import { compileRules, type PrivacyRules } from '../privacy/rules.js';
import { asEngage, openEnvelope, type Envelope } from '../wire/shapes.js';
import { openV1, type V1Request } from '../wire/v1.js';
import { clockOf } from './clock.js';
import { hasTooManyParts, MAX_PARTS } from './depth.js';
import type { DuplicateWindow } from './duplicates.js';
import { bodyOf, judge, type Judgement, type Rejection } from './judge.js';
import { blankKeys, hidesText, keysIn } from './keyBytes.js';
import { isUsualEnvelope } from './members.js';
import { letterOf } from './setAside.js';
import { resultsOf, type V1Result } from './v1Results.js';

/** What the intake works with. */
export interface IntakeParts {
  log: Pick<EventLog, 'append' | 'flushed'>;
  deadLetters: Pick<DeadLetters, 'put'>;
  courses: Pick<CourseStore, 'holderOf'>;
  duplicates: Pick<DuplicateWindow, 'add' | 'remove'>;
  /** What courses keep of events; by their level and properties alone where it is left out. */
  rulesOf?: (course: Course) => PrivacyRules;
  /** Asks the Hub whose a batch is; without it the events' own claim counts. */
  studentOf?: StudentCheck;
}

/** A request's body, unwrapped. */
export interface Arrival {
  /** JSON text in UTF-8. Belongs to the intake from now on: keys in it are overwritten. */
  bytes: Buffer;
  receivedMs: number;
  /** The client's clock, where it stands beside the body. */
  sentAt?: string | undefined;
  /** The Hub's token of the Jupyter server that sent it; never kept. */
  hubToken?: string | undefined;
  /** Asked once the key is known. @throws RelayError if the sender is not to be let in. */
  admit?: (
    holder: Extract<KeyHolder, { kind: 'known' }>
  ) => Promise<void> | undefined;
  /** Whose key it came with, where that is known and the key is not in the bytes any more. */
  holder?: { key: Pick<CourseKey, 'id'>; course: Course };
  /** Whether it came by PostHog's route for updates of persons. */
  engage?: boolean;
  /** Set for a body of v1, which has its key outside. */
  v1?: V1Request;
}

/** What became of a request's events: each is counted once, or named among the rejected. */
export interface Receipt {
  course: string;
  kept: number;
  duplicates: number;
  /** How many of each name the course does not collect. */
  notCollected: ReadonlyMap<string, number>;
  /** How many properties of each name the course does not allow; the events that had them are kept without. */
  dropped: ReadonlyMap<string, number>;
  rejected: Rejection[];
  /** What v1 tells of each event that has an id, by that id. */
  results?: Record<string, V1Result>;
}

/** Most events in a request. */
export const MAX_EVENTS = 100_000;
/** Most rejections that an answer names. */
export const MAX_NAMED = 1_000;
/** Larger bodies are parsed only if a key of this relay stands in them. */
const PARSE_UNSEEN_BYTES = 256 * 1024;

const NONE: ReadonlyMap<string, number> = new Map();

/**
 * Takes a request's events in. Resolves once all of them are on disk, those that came before
 * and are only repeated included.
 *
 * @throws RelayError if the request cannot be read or may not write here, or if not all could be
 * made durable; in that case it may be sent again.
 */
export async function takeIn(
  arrival: Arrival,
  parts: IntakeParts
): Promise<Receipt> {
  const { bytes, receivedMs, v1 } = arrival;
  if (v1) {
    holderOf(v1.apiKey, parts.courses);
  } else if (!arrival.holder) {
    refuseStrangers(bytes, parts.courses);
  }
  const opened = open(bytes, arrival);
  const { key, course } =
    arrival.holder ?? (await admitted(arrival, opened.envelope, parts));
  // After the key: nobody without one makes the relay ask the Hub.
  const student = await parts.studentOf?.(arrival.hubToken, course);
  const clock = clockOf(opened.envelope.sentAt ?? arrival.sentAt, receivedMs);
  const at = new Date(receivedMs).toISOString();
  const events = eventsOf(course);
  const privacy = (parts.rulesOf ?? compileRules)(course);

  const remembered: string[] = [];
  let judgement: Judgement;
  let firstCopies: Promise<void> | undefined;
  try {
    judgement = judge(opened.envelope.events, {
      course: course.id,
      privacy,
      events,
      clock,
      student,
      bytes: bytes.length,
      remember: uuid => {
        const isNew = parts.duplicates.add(course.id, uuid, receivedMs);
        if (isNew) {
          remembered.push(uuid);
        }
        return isNew;
      }
    });
    if (judgement.duplicates > 0) {
      // First copies may still be on their way to the disk. Asked for now: once one has failed,
      // nobody remembers that.
      firstCopies = parts.log.flushed();
      firstCopies.catch(() => undefined);
    }
    if (judgement.kept.length > 0) {
      const { kept, notes } = judgement;
      const header: RecordHeader = {
        v: 1,
        at,
        course: course.id,
        key: key.id,
        skew: clock.skew,
        ...(clock.behind > 0 ? { behind: clock.behind } : {}),
        n: kept.length,
        ...(notes ? { notes } : {})
      };
      const body = bodyToKeep(bytes, opened, judgement, {
        privacy,
        all: events.length === SELECTABLE_EVENTS.length,
        hasHolder: arrival.holder !== undefined
      });
      await parts.log.append(header, body);
    }
  } catch (error) {
    remembered.forEach(uuid => parts.duplicates.remove(course.id, uuid));
    throw refusal(error);
  }

  const {
    setAside,
    duplicates,
    kept,
    notCollected = NONE,
    dropped = NONE
  } = judgement;
  try {
    await firstCopies;
    if (setAside.length > 0) {
      await parts.deadLetters.put(
        setAside.map(one => letterOf(one, course.id, privacy, at))
      );
    }
  } catch (error) {
    throw new RelayError('log_unavailable', {}, {}, { cause: error });
  }
  const rejected = setAside.map(
    ({ raw: _raw, given: _given, expected: _e, ...rest }) => rest
  );
  return {
    course: course.id,
    kept: kept.length,
    duplicates,
    notCollected,
    dropped,
    rejected,
    ...(v1
      ? { results: resultsOf(opened.envelope.events, rejected, events) }
      : {})
  };
}

/** What an answer says of rejected events; nothing where there are none. */
export function rejectedPart(
  rejected: readonly Rejection[]
): Record<string, unknown> {
  if (rejected.length === 0) {
    return {};
  }
  return rejected.length <= MAX_NAMED
    ? { rejected }
    : {
        rejected: rejected.slice(0, MAX_NAMED),
        rejected_count: rejected.length
      };
}

/** Parsing is what costs, so nobody without a key makes the relay parse much. */
function refuseStrangers(
  bytes: Buffer,
  courses: Pick<CourseStore, 'holderOf'>
): void {
  if (bytes.length <= PARSE_UNSEEN_BYTES) {
    return;
  }
  let seen = 0;
  for (const key of keysIn(bytes)) {
    seen += 1;
    if (courses.holderOf(key).kind === 'known') {
      return;
    }
    if (seen === 16) {
      break;
    }
  }
  throw new RelayError(seen === 0 ? 'missing_key' : 'unknown_key');
}

interface Opened {
  parsed: unknown;
  envelope: Envelope;
  /** Whether members beside the events are ones that PostHog's clients send. */
  usual: boolean;
}

function open(bytes: Buffer, { engage, v1 }: Arrival): Opened {
  if (hasTooManyParts(bytes)) {
    throw new RelayError('too_complex', { limit: MAX_PARTS });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new RelayError('not_json', {
      given: `${bytes.length} bytes of other text`
    });
  }
  const opened = v1 ? openV1(parsed, v1) : openEnvelope(parsed);
  const envelope = opened && engage ? asEngage(opened) : opened;
  if (!envelope || envelope.events.length === 0) {
    throw new RelayError('not_events', {
      given: envelope ? 'an empty list' : `a ${typeof parsed}`
    });
  }
  if (envelope.events.length > MAX_EVENTS) {
    throw new RelayError('too_many_events', {
      limit: MAX_EVENTS,
      given: envelope.events.length
    });
  }
  return { parsed, envelope, usual: isUsualEnvelope(parsed) };
}

async function admitted(
  arrival: Arrival,
  envelope: Envelope,
  parts: IntakeParts
): Promise<Extract<KeyHolder, { kind: 'known' }>> {
  const holder = authenticate(envelope, parts.courses);
  await arrival.admit?.(holder);
  return holder;
}

function authenticate(
  { apiKey, mixedKeys }: Envelope,
  courses: Pick<CourseStore, 'holderOf'>
): Extract<KeyHolder, { kind: 'known' }> {
  if (mixedKeys) {
    throw new RelayError('several_keys');
  }
  return holderOf(apiKey, courses);
}

/** @throws RelayError if nobody holds this key. */
function holderOf(
  apiKey: string | undefined,
  courses: Pick<CourseStore, 'holderOf'>
): Extract<KeyHolder, { kind: 'known' }> {
  if (apiKey === undefined) {
    throw new RelayError('missing_key');
  }
  const holder = courses.holderOf(apiKey);
  if (holder.kind !== 'known') {
    throw new RelayError(`${holder.kind}_key`);
  }
  return holder;
}

/**
 * The bytes as received, keys overwritten, where they say no more than what is kept; else the
 * kept events written again, which costs as much as parsing did. What the course does not keep
 * may stand in the bytes unseen, behind a second member of the same name.
 *
 * @param all whether the course collects all events of the contract.
 */
function bodyToKeep(
  bytes: Buffer,
  { parsed, envelope, usual }: Opened,
  { kept, rewrite }: Judgement,
  {
    privacy,
    all,
    hasHolder
  }: { privacy: PrivacyRules; all: boolean; hasHolder: boolean }
): Buffer {
  const asReceived =
    !rewrite &&
    !envelope.changed &&
    ((privacy.open && all) || (usual && !hidesMembers(bytes, parsed))) &&
    !hidesText(bytes) &&
    (blankKeys(bytes) > 0 || hasHolder);
  if (asReceived) {
    return bytes;
  }
  const body = bodyOf(kept);
  blankKeys(body);
  return body;
}

/** What a client is answered for an append that failed. */
export function refusal(error: unknown): unknown {
  if (error instanceof LogUnavailableError) {
    const { code: reason } = error;
    return new RelayError('log_unavailable', {}, { reason }, { cause: error });
  }
  if (error instanceof RangeError) {
    // Written again, some numbers take more room than they did.
    return new RelayError('decompressed_too_large', { limit: MAX_BODY_BYTES });
  }
  return error;
}
