/** Builds wire events whose common properties no caller can overwrite. */
import { eventId } from './ids.js';
import type {
  EventName,
  EventProperties,
  Properties,
  SessionContext,
  WireEvent
} from './types.js';

type Common = 'nb' | 'sess' | 'student' | 'v' | 'seq' | 'src' | 'course';

/** What the caller says of one of the contract's events. */
export type OwnProperties<N extends EventName> = Omit<
  EventProperties<N>,
  Common
>;

/** What is known of an event beside its properties. */
export interface EventFacts {
  /** When it happened (the end of a run). */
  at: Date;
  /** Its id; a UUIDv7 where none is given. */
  uuid?: string;
  /** Counter within (`sess`, `src`), from 1. */
  seq: number;
}

/** One event of the contract, complete. */
export function buildEvent<N extends EventName>(
  name: N,
  context: SessionContext,
  facts: EventFacts,
  properties: OwnProperties<N>
): WireEvent {
  return build(name, context, facts, properties as Properties);
}

/** A custom event: any name, any properties. */
export function buildCustomEvent(
  name: string,
  context: SessionContext,
  facts: EventFacts,
  properties: Properties = {}
): WireEvent {
  return build(name, context, facts, properties);
}

function build(
  name: string,
  context: SessionContext,
  facts: EventFacts,
  properties: Properties
): WireEvent {
  const { course: _claimed, ...own } = properties;
  return {
    event: name,
    distinct_id: context.student,
    uuid: facts.uuid ?? eventId(),
    timestamp: facts.at.toISOString(),
    properties: {
      ...own,
      nb: context.nb,
      sess: context.sess,
      student: context.student,
      v: context.v,
      src: context.src,
      seq: facts.seq
    }
  };
}
