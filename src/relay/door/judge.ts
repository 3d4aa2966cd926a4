/** Judges the events of a body one by one: which are kept, as what, and why the others are not. */
import {
  isCollected,
  validateWireEvent,
  type Problem,
  type WireEvent
} from '../../events/index.js';
import { asStudent } from '../hub/asStudent.js';
import type { EventNote } from '../log/types.js';
import { filterEvent } from '../privacy/filter.js';
import type { PrivacyRules } from '../privacy/rules.js';
import { isObject, normalizeEvent } from '../wire/shapes.js';
import { type Clock, latestTime, ownTime, parseTime } from './clock.js';
import { isDeeperThan, MAX_DEPTH } from './depth.js';
import { createMint, usualUuid, type Mint } from './ids.js';
import { hasOtherMembers, isTimeAlone } from './members.js';

/** An event that is not kept, as the answer names it. */
export interface Rejection {
  /** Position in the request. */
  index: number;
  uuid: string | null;
  code: Problem['code'];
  field: string;
  message: string;
}

/** A rejection with what the dead letters keep of it. */
export interface SetAside extends Rejection {
  expected: string;
  /** The event to keep: the verified student's, where there is one. */
  raw: unknown;
  /** The event as it came, with every name that it claims. Never kept. */
  given: unknown;
}

/** What became of a body's events. */
export interface Judgement {
  /** Events to keep, in order, as the course's rules allow them. */
  kept: WireEvent[];
  /** Notes by position among the kept ones. */
  notes: Record<number, EventNote> | undefined;
  setAside: SetAside[];
  duplicates: number;
  /** How many events, by name, are not kept because the course does not collect them. */
  notCollected: Map<string, number> | undefined;
  /** How many properties, by name, are not kept because the course does not allow them. */
  dropped: Map<string, number> | undefined;
  /** Whether the kept events differ from what the received bytes say. */
  rewrite: boolean;
}

/** What events are judged by. */
export interface Rules {
  course: string;
  /** What it keeps of each event. */
  privacy: PrivacyRules;
  /** Events of the contract that the course collects. */
  events: readonly string[];
  clock: Clock;
  /** Verified by the Hub: whose all events are, whatever they claim. */
  student?: string | undefined;
  /** Bytes of the whole body: where it is short, no event of it can be too long. */
  bytes: number;
  /** Remembers an id; false if it is known already. */
  remember: (uuid: string) => boolean;
}

/** Under which the events of students are counted who had them deleted: theirs may be named anything. */
const FORGOTTEN = '(forgotten)';

/** Most names of dropped properties that are counted apart in one body. */
const MAX_DROPPED_NAMES = 50;
const OTHER_NAMES = '(other names)';

/** Longest event that is taken, in bytes of its properties' JSON: about what PostHog takes. */
export const MAX_EVENT_BYTES = 800_000;

/** Browsers' timings, which PostHog takes and drops. */
const NEVER_KEPT = '$performance_event';

/** Judges all events of a body. */
export function judge(events: readonly unknown[], rules: Rules): Judgement {
  const result: Judgement = {
    kept: [],
    notes: undefined,
    setAside: [],
    duplicates: 0,
    notCollected: undefined,
    dropped: undefined,
    rewrite: false
  };
  const onDropped = (name: string): void => {
    const counts = (result.dropped ??= new Map<string, number>());
    const key = counts.size < MAX_DROPPED_NAMES ? name : OTHER_NAMES;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const mint = createMint(rules.course, rules.clock);
  for (let index = 0; index < events.length; index += 1) {
    try {
      judgeOne(index, events[index], rules, result, { mint, onDropped });
    } catch (error) {
      // Thrown on every resend, it would keep the whole batch out for ever.
      result.setAside.push(failed(index, events[index], error));
      result.rewrite = true;
    }
  }
  return result;
}

/** What goes with all events of a body. */
interface Tools {
  mint: Mint;
  onDropped: (name: string) => void;
}

function judgeOne(
  index: number,
  given: unknown,
  rules: Rules,
  result: Judgement,
  tools: Tools
): void {
  const { student } = rules;
  const raw = student === undefined ? given : asStudent(given, student);
  if (raw !== given) {
    result.rewrite = true;
  }
  let event = normalizeEvent(raw);
  // Before anything is found wrong with it: the dead letters are a disk, too.
  if (isLeftOut(event, rules.events)) {
    leaveOut(event.event, result);
    return;
  }
  let problem = problemOf(event, rules.bytes);
  if (problem?.field === 'uuid') {
    // An id is the relay's business: an event is not worse for one that cannot be read.
    const { uuid, ...rest } = event as WireEvent;
    const usual = usualUuid(uuid);
    event = usual === undefined ? rest : { ...rest, uuid: usual };
    problem = problemOf(event, rules.bytes);
  }
  if (problem) {
    result.setAside.push(setAside(index, { given, raw, event }, problem));
    result.rewrite = true;
  } else {
    keep(
      { given, raw: raw as WireEvent },
      event as WireEvent,
      rules,
      result,
      tools
    );
  }
}

/** An event on which the relay fails: it is told by the error's class, as messages repeat what they are about. */
function failed(index: number, given: unknown, error: unknown): SetAside {
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  const expected = `an event on which the relay does not fail (${kind})`;
  return setAside(
    index,
    { given, raw: given, event: undefined },
    {
      code: 'format',
      field: 'event',
      expected,
      message: `event: expected ${expected}`
    }
  );
}

/** The body of a request with just these events in it: without a key, and without whatever else stood beside them. */
export function bodyOf(events: readonly WireEvent[]): Buffer {
  const plain = events.map(
    ({ event, distinct_id, uuid, timestamp, properties }) => ({
      event,
      distinct_id,
      uuid,
      timestamp,
      properties
    })
  );
  return Buffer.from(JSON.stringify({ batch: plain }));
}

/** Whether it is an event that the course does not collect, or nobody keeps. */
export function isLeftOut(
  event: unknown,
  events: readonly string[]
): event is { event: string } {
  return (
    isObject(event) &&
    typeof event['event'] === 'string' &&
    (!isCollected(event['event'], events) || event['event'] === NEVER_KEPT)
  );
}

function leaveOut(name: string, result: Judgement): void {
  const counts = (result.notCollected ??= new Map<string, number>());
  counts.set(name, (counts.get(name) ?? 0) + 1);
  result.rewrite = true;
}

/** Whether the student had everything up to this event deleted; one without a time is new. */
function isForgotten(event: WireEvent, { privacy, clock }: Rules): boolean {
  const { distinct_id, properties, timestamp } = event;
  const own = ownTime(timestamp, (event as { offset?: unknown }).offset, clock);
  const time = own
    ? Date.parse(own)
    : timestamp === undefined
      ? Infinity
      : Date.parse(timestamp) - clock.skew;
  const { student } = properties;
  return [distinct_id, student].some(
    name =>
      typeof name === 'string' &&
      privacy.isForgotten!(name, latestTime(time, clock))
  );
}

function keep(
  { given: claimed, raw }: { given: unknown; raw: WireEvent },
  event: WireEvent,
  rules: Rules,
  result: Judgement,
  { mint, onDropped }: Tools
): void {
  const { privacy, clock } = rules;
  if (privacy.isForgotten && isForgotten(event, rules)) {
    leaveOut(FORGOTTEN, result);
    return;
  }
  const { event: kept, changed } = filterEvent(
    event,
    privacy,
    onDropped,
    claimed
  );
  if (changed) {
    result.rewrite = true;
  }
  const given = (raw.uuid as unknown) || undefined;
  // Of a pseudonym: an id made of the name (or of what stood there as an id) would let who knows
  // the class find it out.
  const uuid =
    kept.uuid ??
    (privacy.pseudonyms ? mint(kept, undefined) : mint(event, given));
  if (!rules.remember(uuid)) {
    result.duplicates += 1;
    result.rewrite = true;
    return;
  }
  if (!privacy.open && hasOtherMembers(raw)) {
    result.rewrite = true;
  }
  const offset = (event as { offset?: unknown }).offset;
  const timestamp = ownTime(kept.timestamp, offset, clock);
  if (timestamp !== undefined || uuid !== given) {
    const notes = (result.notes ??= {});
    notes[result.kept.length] = {
      ...(uuid === given ? {} : { uuid }),
      ...(timestamp === undefined ? {} : { timestamp })
    };
  }
  result.kept.push(privacy.open ? kept : withTimeAlone(kept));
}

/** The event without what stands in its time beside a time: of a text in brackets, a date's reader takes no notice. */
function withTimeAlone(event: WireEvent): WireEvent {
  const { timestamp } = event;
  return timestamp === undefined || isTimeAlone(timestamp)
    ? event
    : { ...event, timestamp: new Date(parseTime(timestamp)).toISOString() };
}

function problemOf(event: unknown, bytes: number): Problem | undefined {
  const verdict = validateWireEvent(event);
  if (!verdict.ok) {
    return verdict.problem;
  }
  const { distinct_id, properties } = verdict.value;
  if (distinct_id.trim() === '') {
    return outOfRange('distinct_id', 'text that is not blank', 'blanks');
  }
  if (isDeeperThan(properties, MAX_DEPTH)) {
    return outOfRange('properties', `at most ${MAX_DEPTH} levels of nesting`);
  }
  if (
    bytes > MAX_EVENT_BYTES &&
    Buffer.byteLength(JSON.stringify(properties)) > MAX_EVENT_BYTES
  ) {
    return outOfRange('properties', `at most ${MAX_EVENT_BYTES} bytes of JSON`);
  }
  return undefined;
}

function outOfRange(field: string, expected: string, got = 'more'): Problem {
  return {
    code: 'range',
    field,
    expected,
    message: `${field}: expected ${expected}, got ${got}`
  };
}

function setAside(
  index: number,
  { given, raw, event }: { given: unknown; raw: unknown; event: unknown },
  { code, field, expected, message }: Problem
): SetAside {
  const uuid = isObject(event) ? event['uuid'] : null;
  return {
    index,
    uuid: typeof uuid === 'string' ? uuid.slice(0, 64) : null,
    code,
    field,
    message,
    expected,
    raw,
    given
  };
}
