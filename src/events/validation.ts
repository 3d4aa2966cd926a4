/** Judges events one by one and says what is wrong in words: the field, the value and what was expected. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import {
  CustomProperties,
  EVENT_NAMES,
  EVENT_PROPERTIES,
  TelemetryRecord as TelemetryRecordSchema,
  WireEvent as WireEventSchema
} from './schema.js';
import type { TelemetryRecord, WireEvent } from './types.js';

/** One thing that is wrong with an event. */
export interface Problem {
  /** Stable, for programs. */
  code: 'type' | 'missing' | 'range' | 'format' | 'choice';
  /** Path of the field, `properties.ms`. */
  field: string;
  /** What was expected there. */
  expected: string;
  /** A whole sentence: field, expectation, and what came. */
  message: string;
}

/** The verdict on one value. */
export type Verdict<T> =
  { ok: true; value: T } | { ok: false; problem: Problem };

// `unicode: false` counts UTF-16 units: a sixth of the cost, and our limits are generous.
const ajv = new Ajv({
  unicodeRegExp: false,
  unicode: false,
  logger: false,
  verbose: true,
  strict: false
} as ConstructorParameters<typeof Ajv>[0]);

const checkEnvelope = ajv.compile(WireEventSchema);
const checkCustom = ajv.compile(CustomProperties);
const checkRecord = ajv.compile(TelemetryRecordSchema);
const checkProperties = new Map<string, ValidateFunction>(
  EVENT_NAMES.map(name => [name, ajv.compile(EVENT_PROPERTIES[name])])
);

const USUAL_TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** `Date.parse` guesses a time in almost any text, so the form is asked for first, and the day that comes out. */
function isTime(text: string): boolean {
  const day = /^\d{4}-\d\d-(\d\d)(?:[T ]|$)/.exec(text)?.[1];
  return (
    day !== undefined &&
    !Number.isNaN(Date.parse(text)) &&
    new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(day)
  );
}

/** Validates one event on the wire, envelope and properties. */
export function validateWireEvent(value: unknown): Verdict<WireEvent> {
  if (!checkEnvelope(value)) {
    return failure(checkEnvelope.errors, '');
  }
  const event = value as WireEvent;
  if (
    event.timestamp !== undefined &&
    // Nearly all have the usual form, and reading a date costs as much as all the rest.
    !USUAL_TIME.test(event.timestamp) &&
    !isTime(event.timestamp)
  ) {
    return {
      ok: false,
      problem: problem(
        'format',
        'timestamp',
        'an ISO 8601 time such as 2026-11-21T09:30:00.000Z',
        event.timestamp
      )
    };
  }
  const check = checkProperties.get(event.event) ?? checkCustom;
  if (!check(event.properties)) {
    return failure(check.errors, 'properties');
  }
  return { ok: true, value: event };
}

/** Validates one `telemetry_event_v1` record. */
export function validateRecord(value: unknown): Verdict<TelemetryRecord> {
  return checkRecord(value)
    ? { ok: true, value: value as TelemetryRecord }
    : failure(checkRecord.errors, '');
}

function failure(
  errors: ErrorObject[] | null | undefined,
  prefix: string
): { ok: false; problem: Problem } {
  const list = errors ?? [];
  // A union reports each of its members first and itself last: the last one says it whole.
  const error = list[list.length - 1];
  if (!error) {
    return {
      ok: false,
      problem: problem('type', prefix || 'event', 'a valid event', undefined)
    };
  }
  const path = [prefix, ...error.instancePath.split('/').slice(1)]
    .filter(part => part !== '')
    .join('.');
  return { ok: false, problem: explain(error, path, list) };
}

function explain(
  error: ErrorObject,
  path: string,
  all: ErrorObject[]
): Problem {
  const params = error.params as Record<string, unknown>;
  const field = path || 'event';
  switch (error.keyword) {
    case 'required': {
      const missing = String(params['missingProperty']);
      return problem(
        'missing',
        path ? `${path}.${missing}` : missing,
        'a value',
        undefined
      );
    }
    case 'anyOf':
      return problem('choice', field, choices(error, all), error.data);
    case 'type':
      return problem(
        'type',
        field,
        article(String(params['type'])),
        error.data
      );
    case 'enum':
      return problem(
        'choice',
        field,
        (params['allowedValues'] as unknown[]).map(String).join(' or '),
        error.data
      );
    case 'const':
      return problem(
        'choice',
        field,
        JSON.stringify(params['allowedValue']),
        error.data
      );
    case 'minimum':
    case 'maximum':
      return problem(
        'range',
        field,
        `a number ${String(params['comparison'])} ${String(params['limit'])}`,
        error.data
      );
    case 'minLength':
      return problem('range', field, 'text that is not empty', error.data);
    case 'maxLength':
      return problem(
        'range',
        field,
        `text of at most ${String(params['limit'])} characters`,
        error.data
      );
    case 'pattern':
      return problem(
        'format',
        field,
        'a UUID such as 0190163d-8694-739b-aea5-966c26f8ad91',
        error.data
      );
    default:
      return problem(
        'type',
        field,
        error.message ?? 'a valid value',
        error.data
      );
  }
}

/** What a union takes, gathered from the errors of its members. */
function choices(error: ErrorObject, all: ErrorObject[]): string {
  const parts = all
    .filter(
      other =>
        other !== error &&
        other.instancePath === error.instancePath &&
        other.schemaPath.startsWith(error.schemaPath)
    )
    .map(other => explain(other, error.instancePath, []).expected);
  return [...new Set(parts)].join(' or ') || 'another value';
}

function article(type: string): string {
  return type === 'null'
    ? 'null'
    : `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`;
}

function problem(
  code: Problem['code'],
  field: string,
  expected: string,
  value: unknown
): Problem {
  return {
    code,
    field,
    expected,
    message: `${field}: expected ${expected}, got ${show(field, value)}`
  };
}

/** The value for a message: short, and never a student's code or error text. */
function show(field: string, value: unknown): string {
  if (value === undefined) {
    return 'nothing';
  }
  const type = Array.isArray(value)
    ? 'array'
    : value === null
      ? 'null'
      : typeof value;
  if (value === null) {
    return 'null';
  }
  if (typeof value === 'object' || /\.(code|err)$/.test(field)) {
    return `${article(type)}`;
  }
  const shown = JSON.stringify(value);
  return `${shown.length > 60 ? `${shown.slice(0, 57)}…` : shown} (${type})`;
}
