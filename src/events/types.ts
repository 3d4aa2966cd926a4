/** Static types of the contract, without the schemas' run-time weight. */
import type { Static } from 'typebox';
import type {
  CHANNELS,
  CELL_STATUSES,
  TEST_STATUSES,
  EVENT_PROPERTIES,
  EventName,
  TelemetryRecord as TelemetryRecordSchema
} from './schema.js';

export type { EventName } from './schema.js';

/** JSON object with unknown contents. */
export type Properties = Record<string, unknown>;

/** How a cell's run ended. */
export type CellStatus = (typeof CELL_STATUSES)[number];

/** How a test ended. */
export type TestStatus = (typeof TEST_STATUSES)[number];

export type Channel = (typeof CHANNELS)[number];

/** Which of our clients made an event. */
export type Source = 'lab' | 'kernel' | 'cli' | 'sdk';

/** One event as it travels: PostHog's capture shape. `timestamp` is ISO 8601 in UTC. */
export interface WireEvent {
  event: string;
  distinct_id: string;
  uuid?: string;
  timestamp?: string;
  properties: Properties;
}

/** Properties of one of the contract's events. */
export type EventProperties<N extends EventName> = Static<
  (typeof EVENT_PROPERTIES)[N]
>;

/** One event as readers see it (`telemetry_event_v1`). */
export type TelemetryRecord = Static<typeof TelemetryRecordSchema>;

/** How much of the student's work a course collects. */
export type PrivacyLevel = 'outcomes' | 'code' | 'full';

/** Who makes events: what every one of a session's events has in common. */
export interface SessionContext {
  nb: string;
  sess: string;
  student: string;
  v: string;
  src: Source;
}

/** The public part of a course's settings, as `GET /api/v1/course` answers. */
export interface CourseSettings {
  course: string;
  title: string;
  version: number;
  level: PrivacyLevel;
  consent: 'notice' | 'opt-in';
  identity: 'names' | 'pseudonyms';
  /** Events of the contract that the course collects; `consent` always is. Custom events are not listed. */
  events: EventName[];
  notice: {
    /** Grows when what students were told changes; they are asked, or told, again. */
    version: number;
    receiver: string;
    retention_days: number | null;
    contact: string | null;
    /** What the course adds in its own words. */
    text: string | null;
  };
}
