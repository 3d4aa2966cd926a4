/** What the notebooks hand over: an event without its `seq`, which it gets when it enters the outbox. */
import type { EventName, Properties, SessionContext } from '../events/types.js';

/** An event of a session. */
export interface MadeEvent {
  /** One of the contract's events, or another extension's own. */
  name: EventName | (string & {});
  context: SessionContext;
  uuid: string;
  /** When it happened. */
  at: Date;
  /** As they are, before the course's privacy level is applied. */
  properties: Properties;
}

/** An event whose session, and with it the student, may still have to be found out. */
export type LooseEvent = Omit<MadeEvent, 'context'>;

/** What became of a session's events, as the outbox counts them. */
export interface Counts {
  made: number;
  delivered: number;
  dropped: number;
}

/** The student's decision on a course, as the kernel packages are told of it. */
export interface Consent {
  agreed: boolean;
  /** Privacy level that was agreed to; null where none was. */
  level: string | null;
  /** Version of the notice that was answered. */
  notice_version: number;
}

/** Storage that a reload leaves alone, such as `sessionStorage`. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}
