/** The runs that are under way in one kernel, and what becomes of each. */
import type { CellStatus } from '../events/types.js';
import type { Reply, RequestedCell } from './facts.js';
import type { LooseEvent } from './made.js';

/** One execute_request of this page, from the moment it leaves. */
export interface Run extends RequestedCell {
  /** `msg_id` of the request. */
  id: string;
  /** What `_cell` called it. */
  label: { cellId: string; code: string | null } | null;
  /** Number within the session; null until the kernel takes it up. */
  number: number | null;
  /** Execution count. */
  count: number | null;
  /** When the kernel took it up, in milliseconds of the page's monotonic clock. */
  beganAt: number | null;
  reply: Reply | null;
  /** Milliseconds from taking up to the reply, by the page's clock. */
  pageMs: number | null;
}

/** How a run ended. */
export interface RunOutcome {
  status: CellStatus;
  ms: number | null;
  /** `Type: message`, or the type alone. */
  err: string | null;
}

/** Runs by the `msg_id` of their request. */
export class RunTable {
  get(id: string): Run | undefined {
    return this._runs.get(id);
  }

  /** A request left. */
  open(request: RequestedCell & { id: string }): void {
    this._runs.set(request.id, {
      ...request,
      label: null,
      number: null,
      count: null,
      beganAt: null,
      reply: null,
      pageMs: null
    });
  }

  /** The runs that are under way, in the order they were requested. */
  all(): Iterable<Run> {
    return this._runs.values();
  }

  /** Takes a run out of the table. */
  close(id: string): Run | undefined {
    const run = this._runs.get(id);
    this._runs.delete(id);
    return run;
  }

  /** Takes all runs out of the table, in the order they were requested. */
  closeAll(): Run[] {
    const runs = [...this._runs.values()];
    this._runs.clear();
    return runs;
  }

  private _runs = new Map<string, Run>();
}

/** The outcome of a run; `lost` where no reply came. */
export function outcomeOf(run: Run): RunOutcome {
  const { reply } = run;
  if (reply === null) {
    return { status: 'lost', ms: null, err: null };
  }
  if (reply.status === 'aborted') {
    return { status: 'aborted', ms: null, err: null };
  }
  const ms = reply.ms ?? run.pageMs;
  return {
    status:
      reply.status === 'ok'
        ? 'ok'
        : reply.ename === 'KeyboardInterrupt'
          ? 'interrupted'
          : 'error',
    ms: ms === null ? null : Math.round(ms),
    err:
      reply.status === 'ok'
        ? null
        : errorText(reply.ename ?? 'Error', reply.evalue)
  };
}

/** `Type: message`, or the type alone where there is no message. */
export function errorText(type: string, message: string | null): string {
  return message ? `${type}: ${message}` : type;
}

/** Number of source lines, as the kernel package counts them. */
export function countLines(code: string): number {
  return code.split('\n').length;
}

/** What `_cell` said, else the exercise, else the notebook format's id. */
export function cellIdOf(
  run: Pick<Run, 'label' | 'exercise' | 'cell'>
): string | null {
  return run.label?.cellId ?? run.exercise ?? run.cell;
}

/** The `cell` event of a run that ended. */
export function cellEvent(
  uuid: string,
  run: Omit<Run, 'id'>,
  outcome: RunOutcome,
  at: Date
): LooseEvent {
  const reached = outcome.status !== 'aborted';
  return {
    name: 'cell',
    uuid,
    at,
    properties: {
      cell_id: cellIdOf(run),
      cell_num: reached ? run.number : null,
      code: run.label?.code || run.code,
      status: outcome.status,
      ms: outcome.ms,
      err: outcome.err,
      count: reached ? run.count : null,
      lines: countLines(run.code),
      nb_cell: run.cell
    }
  };
}
