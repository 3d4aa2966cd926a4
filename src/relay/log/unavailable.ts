/** Turns what a disk says into what an event log says. */
import { LogUnavailableError } from './types.js';

/** The refusal of a log that is closed. */
export function closed(): LogUnavailableError {
  return new LogUnavailableError('closed', 'The event log is closed.');
}

/** The refusal after a failed write or flush. */
export function unavailable(error: unknown): LogUnavailableError {
  if (error instanceof LogUnavailableError) {
    return error;
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new LogUnavailableError(
        'disk-full',
        'The disk of the event log is full; events are taken again as soon as there is space.',
        { cause: error }
      )
    : new LogUnavailableError(
        'flush-failed',
        `The event log could not write to its disk: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error }
      );
}

/** Refuses everything at once for a while after a failure. */
export class Refusal {
  #error: LogUnavailableError | undefined;
  #until = 0;

  constructor(private readonly pauseMs: number) {}

  begin(error: LogUnavailableError): void {
    this.#error = error;
    this.#until = Date.now() + this.pauseMs;
  }

  /** Why appends are refused now; undefined if they are not. */
  current(): LogUnavailableError | undefined {
    return Date.now() < this.#until ? this.#error : undefined;
  }
}
