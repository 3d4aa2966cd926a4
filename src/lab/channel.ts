/** A comm from the page to the kernel package. */
import type { Kernel } from '@jupyterlab/services';
import type { Properties } from '../events/types.js';
import { COMM_TARGET } from './facts.js';
import { guarded, noteFault } from './guard.js';
import type { Channel } from './recording.js';
import { VERSION } from './version.js';

/**
 * Opens a comm to the kernel package in `kernel`; null where this connection may not
 * (a second one to the same kernel) or cannot. What the kernel says on it is read from
 * `anyMessage`, in one order with all other messages.
 */
export function openChannel(
  kernel: Kernel.IKernelConnection,
  onClosed: (id: string) => void
): Channel | null {
  if (!kernel.handleComms || kernel.isDisposed) {
    return null;
  }
  try {
    return new CommChannel(kernel, onClosed);
  } catch (error) {
    noteFault('opening a line to the kernel', error);
    return null;
  }
}

class CommChannel implements Channel {
  constructor(
    kernel: Kernel.IKernelConnection,
    onClosed: (id: string) => void
  ) {
    this._kernel = kernel;
    this._comm = kernel.createComm(COMM_TARGET);
    // On the main shell, between two cells: in a subshell each message would fire IPython's
    // post_execute in the middle of a running cell, which flushes half-drawn figures.
    this._comm.commsOverSubshells = 'disabled' as NonNullable<
      Kernel.IComm['commsOverSubshells']
    >;
    this._comm.onClose = () => onClosed(this.id);
    this._comm.open({ client: 'lab', v: VERSION });
  }

  get id(): string {
    return this._comm.commId;
  }

  send(data: Properties): void {
    guarded('a message to the kernel', () => {
      if (this._isOpen) {
        this._comm.send(data as Parameters<Kernel.IComm['send']>[0]);
      }
    });
  }

  close(): void {
    guarded('closing the line to the kernel', () => {
      if (this._isOpen) {
        this._comm.close();
      }
    });
  }

  private get _isOpen(): boolean {
    return !this._comm.isDisposed && !this._kernel.isDisposed;
  }

  private _kernel: Kernel.IKernelConnection;
  private _comm: Kernel.IComm;
}
