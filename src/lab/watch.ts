/** Joins one notebook's kernel, whichever it has at the time, to a recording. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, Session } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { openChannel } from './channel.js';
import { readMessage, type MessageLike } from './facts.js';
import { guarded } from './guard.js';
import type { MadeEvent } from './made.js';
import { Recording } from './recording.js';

/** What a watch tells. */
export interface WatchOptions {
  made: (event: MadeEvent) => void;
  /** Whether this page reports at all. */
  reports: () => boolean;
  sessionChanged: () => void;
  later: (ms: number, action: () => void) => () => void;
}

/** Statuses after which no open run will be answered. */
const GONE: readonly string[] = [
  'restarting',
  'autorestarting',
  'terminating',
  'dead'
];

/** Watches the kernel of one session context, which all views of a notebook share. */
export class KernelWatch implements IDisposable {
  constructor(context: ISessionContext, options: WatchOptions) {
    this.recording = new Recording({
      ...options,
      openChannel: () =>
        this._kernel && options.reports()
          ? openChannel(this._kernel, id => this.recording.channelClosed(id))
          : null,
      now: () => Date.now(),
      ticks: () => performance.now()
    });
    context.kernelChanged.connect(this._onKernelChanged, this);
    context.statusChanged.connect(this._onStatusChanged, this);
    // Emitted while the connection still stands, so the kernel package hears of it.
    context.disposed.connect(this.dispose, this);
    this._connect(context.session?.kernel ?? null);
  }

  readonly recording: Recording;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    guarded('leaving a notebook', () => this.recording.leave());
    Signal.clearData(this);
    this._kernel = null;
  }

  private _connect(kernel: Kernel.IKernelConnection | null): void {
    this._kernel?.anyMessage.disconnect(this._onMessage, this);
    this._kernel = kernel;
    kernel?.anyMessage.connect(this._onMessage, this);
  }

  private _onMessage(
    kernel: Kernel.IKernelConnection,
    { msg, direction }: Kernel.IAnyMessageArgs
  ): void {
    guarded('reading a kernel message', () => {
      const fact = readMessage(direction, msg as MessageLike, kernel.clientId);
      if (fact) {
        this.recording.receive(fact);
      }
    });
  }

  private _onKernelChanged(
    _sender: ISessionContext,
    { newValue }: Session.ISessionConnection.IKernelChangedArgs
  ): void {
    guarded('a change of kernel', () => {
      if (newValue !== this._kernel) {
        this.recording.kernelGone();
        this._connect(newValue);
      }
    });
  }

  private _onStatusChanged(_sender: ISessionContext, status: string): void {
    if (GONE.includes(status)) {
      guarded('the end of a kernel', () => this.recording.kernelGone());
    }
  }

  private _kernel: Kernel.IKernelConnection | null = null;
  private _isDisposed = false;
}
