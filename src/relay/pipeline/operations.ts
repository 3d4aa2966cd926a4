/** What commands may ask about dead letters and replays, of a running relay or of its data folder. */
import type { Operation, Operations } from '../control/control.js';
import { isObject } from '../wire/shapes.js';
import type { DeadLetters, LetterFilter } from './deadLetters.js';
import {
  replayLetters,
  type LetterReplay,
  type LetterReplayParts
} from './replayLetters.js';
import { replayLog, type LogReplay, type LogReplayParts } from './replayLog.js';

/** What the operations work with. */
export interface PipelineParts
  extends
    Omit<LetterReplayParts, 'log' | 'deadLetters' | 'sleep'>,
    Omit<LogReplayParts, 'log' | 'deadLetters' | 'sleep' | 'random'> {
  log: LetterReplayParts['log'] & LogReplayParts['log'];
  deadLetters: DeadLetters;
}

/** Names of the operations. */
export const LIST_LETTERS = 'dead-letters-list';
export const REPLAY_LETTERS = 'dead-letters-replay';
export const DROP_LETTERS = 'dead-letters-drop';
export const REPLAY_LOG = 'replay';

/** The operations; `parts` is asked when one of them is called. */
export function pipelineOperations(parts: () => PipelineParts): Operations {
  const list: Operation = async (args, progress) => {
    const { deadLetters } = parts();
    const letters = await deadLetters.list(objectOf(args) as LetterFilter);
    letters.forEach(letter => progress({ letter }));
    return deadLetters.counts();
  };
  const replay: Operation = (args, progress, signal) =>
    replayLetters(lettersOf(args), parts(), progress, signal);
  const drop: Operation = async args => {
    const { deadLetters } = parts();
    const ids = lettersOf(args).map(({ id }) => id);
    return { dropped: await deadLetters.settle(ids, 'dropped') };
  };
  const again: Operation = (args, progress, signal) =>
    replayLog(stretchOf(args), parts(), progress, signal);
  return {
    [LIST_LETTERS]: list,
    [REPLAY_LETTERS]: replay,
    [DROP_LETTERS]: drop,
    [REPLAY_LOG]: again
  };
}

function lettersOf(args: unknown): LetterReplay[] {
  const letters = objectOf(args)['letters'];
  if (
    !Array.isArray(letters) ||
    !letters.every(one => isObject(one) && typeof one['id'] === 'string')
  ) {
    throw new Error('letters: expected a list of {"id": …}.');
  }
  return letters as LetterReplay[];
}

function stretchOf(args: unknown): LogReplay {
  const { sink, from, to, course } = objectOf(args);
  const isPlace = (value: unknown): boolean =>
    typeof value === 'string' ||
    (Number.isSafeInteger(value) && Number(value) > 0);
  if (
    typeof sink !== 'string' ||
    !isPlace(from) ||
    !(to === undefined || isPlace(to)) ||
    !(course === undefined || typeof course === 'string')
  ) {
    throw new Error('expected {"sink": …, "from": …, "to": …, "course": …}.');
  }
  return { sink, from, to, course } as LogReplay;
}

function objectOf(args: unknown): Record<string, unknown> {
  return isObject(args) ? args : {};
}
