/** Which events of the contract a course collects, decided alike by clients and relay. */
import type { EventName } from './types.js';

/** Events that a course can switch on and off; `consent` is always told. */
export const SELECTABLE_EVENTS = [
  'start',
  'end',
  'cell',
  'test',
  'notebook',
  'kernel',
  'focus',
  'edit',
  'ai_suggestion',
  'ai_feature'
] as const satisfies readonly EventName[];

/** What a course collects that says nothing else: editing and AI use have to be asked for. */
export const DEFAULT_EVENTS: readonly EventName[] = [
  'start',
  'end',
  'cell',
  'test',
  'notebook',
  'kernel',
  'focus'
];

const selectable: ReadonlySet<string> = new Set(SELECTABLE_EVENTS);

/**
 * Whether an event named `name` is collected where `events` are. Custom events are: a course
 * that has none in its notebooks gets none.
 */
export function isCollected(name: string, events: readonly string[]): boolean {
  return !selectable.has(name) || events.includes(name);
}
