/** Runs that an executor of the Jupyter server asks for: no message of this page tells of them, the cell does. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import {
  HELLO_MIME,
  readCell,
  readHello,
  type Hello,
  type RequestedCell
} from './facts.js';
import { guarded } from './guard.js';
import type { EndedRun } from './results.js';
import { errorText, type RunOutcome } from './runs.js';

/** A cell as far as its run is read from it. */
export type RunningCell = Pick<
  ICodeCellModel,
  | 'id'
  | 'isDisposed'
  | 'metadata'
  | 'executionState'
  | 'executionCount'
  | 'outputs'
  | 'stateChanged'
> & { readonly sharedModel: { getSource(): string } };

/** What the runs need of the notebook around them. */
export interface ServerRunsHost {
  /** Whether this page has asked the kernel to run that cell by itself. */
  isRunning(cell: string): boolean;
  /** Whether there is a kernel that could run anything. */
  hasKernel(): boolean;
  /** The exercise of a cell whose metadata declares `declared`. */
  exerciseOf(cell: string, declared: string | null): string | null;
  /** Number within the session of the run with that execution count. */
  numberOf(count: number | null): number | null;
  /** A run ended; `hello` if it began a session of the kernel package. */
  ended(run: EndedRun, hello: Hello | null): void;
  now(): number;
  later(ms: number, action: () => void): () => void;
}

/** How long an accepted run may take until nobody knows what became of it. */
export const LONGEST_RUN_MS = 6 * 60 * 60 * 1000;
/** How long a cell may take to show that its run began, once the server accepted it. */
export const START_WAIT_MS = 10_000;
/** How long outputs may be on their way when a run is over. */
export const OUTPUTS_WAIT_MS = 300;

/** One run, from the moment it was scheduled. */
class ServerRun {
  constructor(
    readonly model: RunningCell,
    readonly cell: RequestedCell,
    private readonly changed: (run: ServerRun) => void
  ) {
    model.stateChanged.connect(this._onState, this);
  }

  /** What the executor said; null while it said nothing. */
  success: boolean | null = null;
  /** The cell showed that something happens. */
  begun = false;
  /** Calls off what waits. */
  cancel = (): void => {};

  /** Nothing more is wanted of it. */
  stop(): void {
    this.cancel();
    this.model.stateChanged.disconnect(this._onState, this);
  }

  private _onState(_sender: unknown, { name }: { name: string }): void {
    if (name === 'executionState' || name === 'executionCount') {
      this.begun = true;
      this.changed(this);
    }
  }
}

/** The runs of one notebook's cells that this page does not ask for by itself. */
export class ServerRuns {
  constructor(host: ServerRunsHost) {
    this._host = host;
  }

  /** A run of a code cell was scheduled, by whichever executor. */
  scheduled(model: RunningCell): void {
    const code = model.sharedModel.getSource();
    if (code.trim() === '' || this._host.isRunning(model.id)) {
      return;
    }
    const cell = readCell(model.id, code, model.metadata);
    cell.exercise = this._host.exerciseOf(model.id, cell.exercise);
    const run = new ServerRun(model, cell, one =>
      guarded('a run of the server', () => this._wait(one))
    );
    const runs = this._scheduled.get(model.id) ?? [];
    this._scheduled.set(model.id, [...runs, run]);
  }

  /** The page itself sent the cell to the kernel: messages will tell the rest. */
  requested(cell: string): void {
    this._take(cell)?.stop();
  }

  /** The executor says that a run is over, or, some of them, that the server accepted it. */
  executed(cell: string, success: boolean): void {
    const run = this._take(cell);
    if (run && this._host.hasKernel()) {
      run.success = success;
      this._accepted.add(run);
      this._wait(run);
    } else {
      run?.stop(); // Without a kernel JupyterLab says so too of what it did not run.
    }
  }

  /** The kernel is gone, or the notebook closed: what is open is lost. */
  loseAll(): void {
    const open = [...this._accepted, ...[...this._scheduled.values()].flat()];
    this._scheduled.clear();
    open.forEach(run => this._lose(run));
  }

  private _take(cell: string): ServerRun | undefined {
    const [first, ...rest] = this._scheduled.get(cell) ?? [];
    if (rest.length > 0) {
      this._scheduled.set(cell, rest);
    } else {
      this._scheduled.delete(cell);
    }
    return first;
  }

  /** Waits until the cell shows that the run is over, and its outputs are there. */
  private _wait(run: ServerRun): void {
    if (run.success === null) {
      return;
    }
    run.cancel();
    if (run.model.executionState === 'running') {
      run.cancel = this._host.later(LONGEST_RUN_MS, () => this._lose(run));
      return;
    }
    const at = this._host.now();
    const ms = run.begun ? OUTPUTS_WAIT_MS : START_WAIT_MS;
    run.cancel = this._host.later(ms, () => this._finish(run, at));
  }

  private _finish(run: ServerRun, at: number): void {
    const { model } = run;
    if (model.isDisposed) {
      this._lose(run);
      return;
    }
    const found = readOutputs(model);
    if (run.success && model.executionCount === null && !found.any) {
      run.stop(); // The kernel never saw it.
      this._accepted.delete(run);
      return;
    }
    this._end(run, at, outcomeOf(run, found.error), found);
  }

  private _lose(run: ServerRun): void {
    const outcome: RunOutcome = { status: 'lost', ms: null, err: null };
    this._end(run, this._host.now(), outcome, NOTHING);
  }

  private _end(
    run: ServerRun,
    at: number,
    outcome: RunOutcome,
    { error, hello }: Found
  ): void {
    run.stop();
    this._accepted.delete(run);
    const count = run.model.isDisposed ? null : run.model.executionCount;
    this._host.ended(
      {
        run: {
          ...run.cell,
          label: null,
          number: this._host.numberOf(count),
          count,
          beganAt: null,
          reply: null,
          pageMs: null
        },
        outcome,
        traceback: error?.traceback ?? [],
        at: new Date(at)
      },
      hello
    );
  }

  private _host: ServerRunsHost;
  /** By cell: scheduled, and nobody has said more. */
  private _scheduled = new Map<string, ServerRun[]>();
  /** Said to be accepted, or over. */
  private _accepted = new Set<ServerRun>();
}

interface RunError {
  ename: string;
  evalue: string;
  traceback: readonly string[];
}

interface Found {
  error: RunError | null;
  hello: Hello | null;
  /** There is some output. */
  any: boolean;
}

const NOTHING: Found = { error: null, hello: null, any: false };

function readOutputs(model: RunningCell): Found {
  const found: Found = { ...NOTHING, any: model.outputs.length > 0 };
  for (let index = 0; index < model.outputs.length; index++) {
    const output = model.outputs.get(index);
    if (output.type === 'error') {
      found.error = output.toJSON() as unknown as RunError;
    } else {
      found.hello ??= readHello(output.data[HELLO_MIME]);
    }
  }
  return found;
}

/** Kernel time is not known: the cell does not say when the kernel took it up. */
function outcomeOf(run: ServerRun, error: RunError | null): RunOutcome {
  if (error !== null) {
    return {
      status: error.ename === 'KeyboardInterrupt' ? 'interrupted' : 'error',
      ms: null,
      err: errorText(error.ename, error.evalue)
    };
  }
  if (run.success) {
    return { status: 'ok', ms: null, err: null };
  }
  return run.model.executionCount === null
    ? { status: 'aborted', ms: null, err: null }
    : { status: 'error', ms: null, err: 'Error' };
}
