/** Sends letters that were set aside where they were going: through the door's judgement again, or to the sink that refused them. */
import { setTimeout as pause } from 'node:timers/promises';
import { v5 } from 'uuid';
import { ID_NAMESPACE, type TelemetryRecord } from '../../events/index.js';
import type { Sink } from '../../sinks/index.js';
import type { Course } from '../courses/courseFile.js';
import type { CourseStore } from '../courses/courseStore.js';
import { mintKey } from '../courses/keys.js';
import { takeIn, type IntakeParts } from '../door/intake.js';
import { STUDENT_KEY } from '../privacy/pseudonyms.js';
import type { PrivacyRules } from '../privacy/rules.js';
import { isObject } from '../wire/shapes.js';
import { pauseMs } from './backoff.js';
import type { DeadLetters, StoredLetter } from './deadLetters.js';
import type { ReplaySinks } from './replaySinks.js';

/** A letter to replay. */
export interface LetterReplay {
  id: string;
  /** The event as it is to be instead. */
  event?: unknown;
}

/** What became of one. */
export interface LetterOutcome {
  id: string;
  /**
   * - `replayed`: it arrived, and is settled.
   * - `settled`: it had been replayed or dropped before; nothing was sent.
   * - `refused`: it is still not taken; it stays open.
   * - `failed`: nobody could say; it stays open.
   * - `unknown`: there is no such letter.
   */
  outcome: 'replayed' | 'settled' | 'refused' | 'failed' | 'unknown';
  /** Why; null where it was replayed. */
  reason: string | null;
}

/** What it works with. */
export interface LetterReplayParts {
  deadLetters: Pick<DeadLetters, 'list' | 'settle'>;
  courses: Pick<CourseStore, 'course'>;
  log: IntakeParts['log'];
  duplicates: IntakeParts['duplicates'];
  rulesOf: (course: Course) => PrivacyRules;
  sinks: ReplaySinks;
  sleep?: (ms: number) => Promise<unknown>;
}

/** Attempts at a destination that is not there before it is given up. */
const ATTEMPTS = 5;

/** Replays letters one by one; each is settled, durably, before the next. */
export async function replayLetters(
  wanted: readonly LetterReplay[],
  parts: LetterReplayParts,
  progress: (outcome: LetterOutcome) => void,
  signal: AbortSignal
): Promise<LetterOutcome[]> {
  const ids = wanted.map(({ id }) => id);
  const letters = new Map(
    (await parts.deadLetters.list({ ids, state: 'all' })).map(letter => [
      letter.id,
      letter
    ])
  );
  const sinks = new Map<string, Sink>();
  const outcomes: LetterOutcome[] = [];
  try {
    for (const { id, event } of wanted) {
      if (signal.aborted) {
        break;
      }
      const letter = letters.get(id);
      const outcome: LetterOutcome = !letter
        ? { id, outcome: 'unknown', reason: 'there is no letter of this id' }
        : letter.state !== 'open'
          ? { id, outcome: 'settled', reason: `it was ${letter.state} before` }
          : {
              id,
              ...(await replay(letter, event ?? letter.event, parts, sinks))
            };
      if (letter && outcome.outcome === 'replayed') {
        await parts.deadLetters.settle([id], 'replayed');
        letter.state = 'replayed';
      }
      outcomes.push(outcome);
      progress(outcome);
    }
  } finally {
    await Promise.all([...sinks.values()].map(sink => sink.close()));
  }
  return outcomes;
}

type Result = Omit<LetterOutcome, 'id'>;

const REPLAYED: Result = { outcome: 'replayed', reason: null };

async function replay(
  letter: StoredLetter,
  event: unknown,
  parts: LetterReplayParts,
  sinks: Map<string, Sink>
): Promise<Result> {
  try {
    return letter.stage === 'door'
      ? await throughTheDoor(letter, event, parts)
      : await toTheSink(letter, event, parts, sinks);
  } catch (error) {
    return { outcome: 'failed', reason: (error as Error).message };
  }
}

/** As if the course's client had sent it: by the rules of now, and known again if it came before. */
async function throughTheDoor(
  letter: StoredLetter,
  event: unknown,
  parts: LetterReplayParts
): Promise<Result> {
  const course = parts.courses.course(letter.course);
  if (!course) {
    return refused(`course ${letter.course} does not exist any more`);
  }
  const receipt = await takeIn(
    {
      // The door opens with a key only. This one is no course's, and is overwritten like any other.
      bytes: Buffer.from(
        JSON.stringify({
          api_key: mintKey(),
          batch: [datedAndNamed(letter, event)]
        })
      ),
      receivedMs: Date.now()
    },
    {
      log: parts.log,
      duplicates: parts.duplicates,
      rulesOf: one => keepingPseudonyms(parts.rulesOf(one), letter.event),
      // If it is still bad, its letter is there already.
      deadLetters: { put: () => Promise.resolve() },
      courses: {
        holderOf: () => ({
          kind: 'known',
          course,
          key: {
            id: 'replay',
            kind: 'write',
            sha256: '',
            course: course.id,
            created: letter.at
          }
        })
      }
    }
  );
  const [rejected] = receipt.rejected;
  if (rejected) {
    return refused(rejected.message);
  }
  return receipt.notCollected.size > 0
    ? refused('the course does not collect such events')
    : REPLAYED;
}

/** With the id and the time that it would have got: the same however often it is tried. */
function datedAndNamed({ id, at }: StoredLetter, event: unknown): unknown {
  if (!isObject(event)) {
    return event;
  }
  const { uuid, timestamp, offset } = event;
  return {
    ...event,
    ...(uuid === undefined || uuid === null || uuid === ''
      ? { uuid: v5(id, ID_NAMESPACE) }
      : {}),
    ...(timestamp === undefined && offset === undefined
      ? { timestamp: at }
      : {})
  };
}

/** The rules, under which the pseudonyms that the letter has already are nobody's names. */
function keepingPseudonyms(rules: PrivacyRules, stored: unknown): PrivacyRules {
  const { pseudonyms } = rules;
  const properties = isObject(stored) ? stored['properties'] : undefined;
  const keyId = isObject(properties) ? properties[STUDENT_KEY] : undefined;
  if (!pseudonyms || !isObject(properties) || typeof keyId !== 'string') {
    return rules;
  }
  const own = new Set([
    (stored as Record<string, unknown>)['distinct_id'],
    properties['student']
  ]);
  return {
    ...rules,
    pseudonyms: {
      keyId,
      of: name => (own.has(name) ? name : pseudonyms.of(name))
    }
  };
}

async function toTheSink(
  letter: StoredLetter,
  event: unknown,
  { sinks: opener, sleep = pause }: LetterReplayParts,
  open: Map<string, Sink>
): Promise<Result> {
  const { stage, course } = letter;
  if (!isObject(event) || typeof event['event'] !== 'string') {
    return refused(
      'it holds no event: what could not be read is in the log still (ipynb-telemetry replay)'
    );
  }
  if (!opener.accepts(course, stage)) {
    return refused(`the events of course ${course} do not go to ${stage} now`);
  }
  const sink = open.get(stage) ?? opener.open(stage);
  open.set(stage, sink);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await sink.deliver([event as unknown as TelemetryRecord]);
    if (outcome.kind === 'ok') {
      return REPLAYED;
    }
    if (outcome.kind === 'refused') {
      return refused(outcome.reason);
    }
    if (outcome.kind === 'stop' || attempt === ATTEMPTS) {
      return { outcome: 'failed', reason: outcome.reason };
    }
    await sleep(pauseMs(attempt, Math.random(), outcome.afterMs));
  }
}

function refused(reason: string): Result {
  return { outcome: 'refused', reason };
}
