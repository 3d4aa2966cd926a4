/** What is on its way to the engine, record by record: knows up to where everything has arrived. */
import type { Receipt } from './engine.js';

/** A record whose messages are on their way. */
export interface Sent {
  readonly seq: number;
  /** Its messages that are not acknowledged yet. */
  left: number;
  /** What the engine said of its last message; null for a record that has none. */
  receipt: Receipt | null;
  /** Events in it that are told apart in the counts. */
  readonly events: number;
}

/** Records in the order of the log. */
export class Outgoing {
  #sent: Sent[] = [];

  /** @param onArrived told of each record that arrived, once everything before it has. */
  constructor(private readonly onArrived: (sent: Sent) => void) {}

  /** A record of `messages` messages begins its way. */
  add(seq: number, messages: number, events: number): Sent {
    const sent: Sent = { seq, left: messages, receipt: null, events };
    this.#sent.push(sent);
    return sent;
  }

  /** One of its messages arrived, or it had none. */
  arrived(sent: Sent, receipt: Receipt | null): void {
    if (receipt !== null) {
      sent.left -= 1;
      sent.receipt = receipt;
    }
    while (this.#sent[0]?.left === 0) {
      this.onArrived(this.#sent.shift()!);
    }
  }
}
