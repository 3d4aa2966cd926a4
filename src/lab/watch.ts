/** Joins one notebook's kernel, whichever it has at the time, to a recording. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, Session } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { openChannel } from './channel.js';
import { readMessage, type MessageLike } from './facts.js';
import { guarded } from './guard.js';
import type { EndReason } from './ownSession.js';
import {
  Recording,
  type KernelAction,
  type RecordingHost
} from './recording.js';

/** What a watch needs of the notebook around it. */
export interface WatchOptions extends Pick<
  RecordingHost,
  | 'sessions'
  | 'exerciseOf'
  | 'requested'
  | 'consent'
  | 'sentByKernel'
  | 'decidedInKernel'
  | 'later'
> {
  /** Whether this page reports at all. */
  reports: () => boolean;
  /** The kernel's open runs were given up. */
  kernelGone: () => void;
}

/** What a status says of the end of a kernel. */
const ENDS: Record<string, [EndReason, KernelAction | null]> = {
  restarting: ['restarted', 'restarted'],
  autorestarting: ['died', 'died'],
  terminating: ['shutdown', null],
  dead: ['shutdown', null]
};

/** Watches the kernel of one session context, which all views of a notebook share. */
export class KernelWatch implements IDisposable {
  constructor(context: ISessionContext, options: WatchOptions) {
    this._context = context;
    this._options = options;
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
    this._connect(context.session?.kernel ?? null);
  }

  readonly recording: Recording;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Whether there is a kernel that could run anything. */
  get hasKernel(): boolean {
    const kernel = this._kernel;
    return kernel !== null && !kernel.isDisposed && kernel.status !== 'dead';
  }

  /** Kernel and its language, as far as the kernel has told. */
  get kernelFacts(): { kernel?: string; language?: string } {
    return this._facts;
  }

  /**
   * Leaves the kernel. In time, that is while the connection still stands, so that the
   * kernel package hears of it.
   */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    guarded('leaving a notebook', () => {
      if (this._context.kernelPreference.shutdownOnDispose === true) {
        this._gone('shutdown', null);
      }
      this.recording.leave();
    });
    this._kernel?.anyMessage.disconnect(this._onMessage, this);
    this._kernel = null;
    Signal.clearData(this);
  }

  private _connect(kernel: Kernel.IKernelConnection | null): void {
    this._kernel?.anyMessage.disconnect(this._onMessage, this);
    this._kernel = kernel;
    this._isGone = false;
    this._facts = {};
    if (kernel) {
      kernel.anyMessage.connect(this._onMessage, this);
      this._options.sessions.kernelIs(kernel.id);
      kernel.info.then(
        info => {
          if (this._kernel === kernel) {
            this._facts = factsOf(info);
          }
        },
        () => undefined // It went away before it answered.
      );
    }
  }

  private _onMessage(
    kernel: Kernel.IKernelConnection,
    { msg, direction }: Kernel.IAnyMessageArgs
  ): void {
    guarded('reading a kernel message', () => {
      const fact = readMessage(direction, msg as MessageLike, kernel.clientId);
      if (fact === null) {
        return;
      }
      switch (fact.kind) {
        case 'died':
          this._gone('died', 'died');
          break;
        case 'leaves':
          // Somebody else's doing, or this page would know already.
          this._gone(fact.restart ? 'restarted' : 'shutdown', null);
          break;
        case 'began':
          this._isGone = false;
          this.recording.receive(fact);
          break;
        default:
          this.recording.receive(fact);
      }
    });
  }

  private _onKernelChanged(
    _sender: ISessionContext,
    { newValue }: Session.ISessionConnection.IKernelChangedArgs
  ): void {
    guarded('a change of kernel', () => {
      if (newValue === this._kernel) {
        this._isGone = false; // A restart came to its end.
      } else {
        this._gone('shutdown', null);
        this._connect(newValue);
      }
    });
  }

  private _onStatusChanged(_sender: ISessionContext, status: string): void {
    const end = ENDS[status];
    if (end) {
      guarded('the end of a kernel', () => this._gone(...end));
    } else if (status === 'starting') {
      this._isGone = false;
    }
  }

  /** One end is told in several ways, one after the other; the first one knows best. */
  private _gone(reason: EndReason, action: KernelAction | null): void {
    if (!this._isGone && this._kernel !== null) {
      this._isGone = true;
      this._options.kernelGone();
      this.recording.kernelGone(reason, action);
    }
  }

  private _context: ISessionContext;
  private _options: WatchOptions;
  private _kernel: Kernel.IKernelConnection | null = null;
  /** The kernel went away, and another has not been heard of. */
  private _isGone = false;
  private _facts: { kernel?: string; language?: string } = {};
  private _isDisposed = false;
}

const LONGEST_FACT = 100;

function factsOf(info: {
  implementation: string;
  implementation_version: string;
  language_info: { name: string; version: string };
}): { kernel?: string; language?: string } {
  const name = (...parts: unknown[]): string =>
    parts.filter(Boolean).join(' ').slice(0, LONGEST_FACT);
  return {
    kernel: name(info.implementation, info.implementation_version),
    language: name(info.language_info?.name, info.language_info?.version)
  };
}
