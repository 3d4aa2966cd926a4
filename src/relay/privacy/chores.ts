/** What the running relay does about privacy by itself: goes on with deletions, and removes what is beyond its time once a day. */
import type { Desk } from './desk.js';

/** How the chores are done. */
export interface ChoresOptions {
  /** Pause between looks at what is due, in ms. */
  everyMs?: number;
  /** Until the first removal of old events, and between two, in ms. */
  firstRetentionMs?: number;
  retentionMs?: number;
  onError: (what: string, error: unknown) => void;
}

/** Who the relay is in the audit log. */
export const RELAY = 'relay';

/** Begins with the deletions that were under way; `stop` waits for what is being done. */
export function startChores(
  desk: Pick<Desk, 'step' | 'retain'>,
  {
    everyMs = 60_000,
    firstRetentionMs = 10 * 60_000,
    retentionMs = 86_400_000,
    onError
  }: ChoresOptions
): { stop(): Promise<void> } {
  let stopped = false;
  let work: Promise<void> = Promise.resolve();
  let retentionAt = performance.now() + firstRetentionMs;

  function enqueue(what: string, chore: () => Promise<unknown>): void {
    work = work
      .then(() => (stopped ? undefined : chore()))
      .then(
        () => undefined,
        error => onError(what, error)
      );
  }

  function look(): void {
    enqueue('a deletion is not finished', () => desk.step());
    if (performance.now() >= retentionAt) {
      retentionAt = performance.now() + retentionMs;
      enqueue('old events are not removed', () => retainIfNeeded(desk));
    }
  }

  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await work;
    }
  };
}

/** Looks first: writing the log again is for days on which something is too old. */
async function retainIfNeeded({ retain }: Pick<Desk, 'retain'>): Promise<void> {
  const { courses } = await retain(true, RELAY);
  if (courses.some(({ events, letters }) => events + letters > 0)) {
    await retain(false, RELAY);
  }
}
