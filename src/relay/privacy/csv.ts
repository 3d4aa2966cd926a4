/** A student's events as a table that a spreadsheet opens. */
import type { Exported } from './desk.js';

const COLUMNS = [
  'course',
  'kind',
  'timestamp',
  'event',
  'student',
  'session',
  'notebook',
  'uuid',
  'received_at',
  'payload'
] as const;

/** RFC 4180, with a row of titles; what is set aside and derived stands as JSON in the last column. */
export function csvOf(parts: readonly Exported[]): string {
  const rows = parts.map(part => {
    if (part.kind === 'event') {
      const { event } = part;
      return COLUMNS.map(name =>
        name === 'course'
          ? part.course
          : name === 'kind'
            ? part.kind
            : event[name]
      );
    }
    const value = part.kind === 'set_aside' ? part.letter : part.report;
    return COLUMNS.map(name =>
      name === 'course'
        ? part.course
        : name === 'kind'
          ? part.kind
          : name === 'payload'
            ? value
            : null
    );
  });
  return [COLUMNS, ...rows]
    .map(row => `${row.map(field).join(',')}\r\n`)
    .join('');
}

function field(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : typeof value === 'string'
        ? value
        : JSON.stringify(value);
  // A spreadsheet takes a text that begins so for a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
