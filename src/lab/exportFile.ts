/** The student's own copy of their events: as JSON, or as a table for a spreadsheet. */
import type { PanelRow } from './panelView.js';

/** All events as JSON, exactly as they travel, with what became of each. */
export function toJson(rows: readonly PanelRow[], course: string): string {
  return `${JSON.stringify(
    {
      course,
      events: rows.map(({ event, fate }) => ({ ...event, fate }))
    },
    null,
    2
  )}\n`;
}

/** All events as CSV (RFC 4180): one column for each property that occurs. */
export function toCsv(rows: readonly PanelRow[]): string {
  const properties = [
    ...new Set(rows.flatMap(({ event }) => Object.keys(event.properties)))
  ];
  const head = ['event', 'timestamp', 'uuid', 'distinct_id', 'fate'];
  const lines = rows.map(({ event, fate }) => [
    event.event,
    event.timestamp,
    event.uuid,
    event.distinct_id,
    fate,
    ...properties.map(name => event.properties[name])
  ]);
  return [[...head, ...properties], ...lines]
    .map(line => `${line.map(field).join(',')}\r\n`)
    .join('');
}

function field(value: unknown): string {
  if (value === null || value === undefined) {
    return '';
  }
  let text = typeof value === 'string' ? value : JSON.stringify(value);
  // A spreadsheet would take these for a formula, and code often begins so.
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) {
    text = `'${text}`;
  }
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
