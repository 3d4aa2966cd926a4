/** The lines of the dead letters' file: letters, and marks that say what became of them since. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** An event that was set aside. */
export interface DeadLetter {
  /** When it was set aside, ISO 8601 UTC. */
  at: string;
  course: string;
  /** Who set it aside: `door`, or the name of the sink whose destination refused it. */
  stage: string;
  /** Stable, for programs. */
  code: string;
  /** In words. */
  reason: string;
  uuid: string | null;
  /** The event as that stage had it. */
  event: unknown;
}

/** What became of a letter. */
export type Settled = 'replayed' | 'dropped';

/** Says of a letter before it that it is settled. */
export interface SettledMark {
  mark: Settled;
  id: string;
  at: string;
}

/** Says how many letters there were that the file has no room for any more. */
export interface EvictedMark {
  mark: 'evicted';
  count: number;
}

/** One line; neither letter nor mark where it makes no sense. */
export interface Line {
  letter?: DeadLetter;
  mark?: SettledMark | EvictedMark;
  /** Where it begins and ends in the file. */
  start: number;
  end: number;
}

const NEWLINE = 0x0a;

/** The id of a letter: of stage, course and uuid, or of the event itself where it has no uuid. */
export function idOf({ stage, course, uuid, event }: DeadLetter): string {
  const what =
    uuid ??
    createHash('sha256')
      .update(JSON.stringify(event) ?? '')
      .digest('base64');
  const id = createHash('sha256')
    .update(JSON.stringify([stage, course, what]))
    .digest('hex');
  return `d_${id.slice(0, 16)}`;
}

/** The file's whole lines before `end`. */
export async function* linesOf(
  file: string,
  end: number
): AsyncGenerator<Line> {
  if (end === 0) {
    return;
  }
  let pending: Buffer[] = [];
  let at = 0;
  const stream = createReadStream(file, {
    end: end - 1,
    highWaterMark: 1024 * 1024
  });
  for await (const chunk of stream) {
    let rest = chunk as Buffer;
    for (
      let stop = rest.indexOf(NEWLINE);
      stop >= 0;
      stop = rest.indexOf(NEWLINE)
    ) {
      const line = Buffer.concat([...pending, rest.subarray(0, stop)]);
      pending = [];
      rest = rest.subarray(stop + 1);
      const start = at;
      at += line.length + 1;
      yield { ...parse(line.toString('utf8')), start, end: at };
    }
    pending.push(rest);
  }
}

function parse(line: string): Pick<Line, 'letter' | 'mark'> {
  try {
    const value = JSON.parse(line) as Record<string, unknown> | null;
    if (
      typeof value?.['stage'] === 'string' &&
      typeof value['course'] === 'string'
    ) {
      return { letter: value as unknown as DeadLetter };
    }
    return typeof value?.['mark'] === 'string'
      ? { mark: value as unknown as SettledMark | EvictedMark }
      : {};
  } catch {
    return {};
  }
}
