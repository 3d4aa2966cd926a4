/** What the panel “What has been sent about me” shows, in plain data. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import type { Standing } from './consent.js';
import { courseName, type Course, type Decision } from './courseAnswer.js';
import type { JournalEntry, OutboxState } from './outbox.js';
import type { QueuedEvent } from './store.js';

/** Everything the panel tells beside the events. */
export interface PanelFacts {
  standing: Standing;
  course: Course | null;
  record: Decision | null;
  student: string | null;
  /** Why nothing is reported at all. */
  off: string | null;
  outbox: OutboxState;
  /** Why the server's settings could not be had. */
  trouble: string | null;
  /** Why the student's decision could not be saved yet; null where it is. */
  unsaved: string | null;
}

/** What the panel shows, and what its buttons do. */
export interface PanelHost {
  facts(): PanelFacts;
  /** Events that wait, and those that were sent. */
  events(): Promise<{ waiting: QueuedEvent[]; sent: JournalEntry[] }>;
  changed: ISignal<unknown, void>;
  setPaused(paused: boolean): void;
  decide(): void;
  withdraw(): void;
  /** Asks whether it is meant, then deletes; tells what became of it. */
  forget(): Promise<string>;
}

/** One event of the list. */
export interface PanelRow {
  uuid: string;
  /** Name of the event. */
  name: string;
  /** When it happened, ISO 8601. */
  at: string;
  /** Its own properties in short. */
  summary: string;
  /** Where it is: sent by the page or the kernel, refused by the relay, or still here. */
  fate: 'page' | 'kernel' | 'refused' | 'waiting';
  /** The event exactly as it travels. */
  event: QueuedEvent;
}

const COMMON = new Set(['nb', 'sess', 'student', 'v', 'src', 'seq', 'course']);
const MAX_SUMMARY = 120;

/** All events, newest first: those that wait, and those that were sent. */
export function rowsOf(
  waiting: readonly QueuedEvent[],
  sent: readonly JournalEntry[]
): PanelRow[] {
  const gone = new Set(sent.map(entry => entry.event.uuid));
  return [
    ...waiting
      .filter(event => !gone.has(event.uuid))
      .map(event => rowOf(event, 'waiting')),
    ...sent.map(({ event, by, outcome }) =>
      rowOf(event, outcome === 'refused' ? 'refused' : by)
    )
  ].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

/** Names of events for the filter, in the order of the alphabet. */
export function namesOf(rows: readonly PanelRow[]): string[] {
  return [...new Set(rows.map(row => row.name))].sort();
}

/** What became of an event, in words. */
export function fateWords(
  fate: PanelRow['fate'],
  trans: TranslationBundle
): string {
  switch (fate) {
    case 'page':
      return trans.__('sent by this page');
    case 'kernel':
      return trans.__('sent by the kernel');
    case 'refused':
      return trans.__('refused by the relay');
    case 'waiting':
      return trans.__('not sent yet');
  }
}

/** The state in one line. */
export function stateLine(facts: PanelFacts, trans: TranslationBundle): string {
  const { course } = facts;
  const name = course ? courseName(course, trans) : trans.__('the course');
  switch (facts.standing.state) {
    case 'off':
      return trans.__('This page reports nothing: %1', facts.off ?? '');
    case 'unknown':
      return facts.trouble === null
        ? trans.__('Asking what the course collects …')
        : trans.__(
            'What the course collects is not known, so nothing is sent: %1',
            facts.trouble
          );
    case 'ask':
      return trans.__(
        '%1 asks for your agreement. Nothing is recorded before you answer.',
        name
      );
    case 'tell':
    case 'sending':
      return facts.student === null
        ? trans.__('%1 records notebooks in which recording was set up.', name)
        : trans.__('Reported to %1 as %2.', name, facts.student);
    case 'paused':
      return trans.__('Paused: nothing is recorded until you go on.');
    case 'declined':
      return trans.__('You said no to %1: nothing is recorded.', name);
  }
}

/** The decision in one line; '' where there is none. */
export function decisionLine(
  { record, course }: Pick<PanelFacts, 'record' | 'course'>,
  trans: TranslationBundle,
  date: (iso: string) => string
): string {
  if (record === null) {
    return '';
  }
  const { at, level, notice_version: version } = record;
  if (record.decision === 'declined') {
    return trans.__(
      'You declined on %1, version %2 of the notice.',
      date(at),
      version
    );
  }
  return course?.settings.consent === 'notice'
    ? trans.__(
        'You were told on %1: level %2, version %3 of the notice.',
        date(at),
        level,
        version
      )
    : trans.__(
        'You agreed on %1: level %2, version %3 of the notice.',
        date(at),
        level,
        version
      );
}

/** The queue in one line, and what hinders it in another; '' where nothing does. */
export function queueLines(
  { outbox, standing, unsaved }: PanelFacts,
  trans: TranslationBundle,
  time: (ms: number) => string
): [string, string] {
  const counts = trans.__(
    'Waiting: %1. Sent by this page: %2. Given up: %3.',
    outbox.waiting,
    outbox.delivered,
    outbox.dropped
  );
  if (unsaved !== null) {
    return [
      counts,
      trans.__('Your decision could not be saved yet: %1', unsaved)
    ];
  }
  if (outbox.trouble === null || standing.state === 'off') {
    return [counts, ''];
  }
  return [
    counts,
    outbox.nextAttemptAt === null
      ? trans.__('Last problem: %1', outbox.trouble)
      : trans.__(
          'Last problem: %1. Next attempt: %2.',
          outbox.trouble,
          time(outbox.nextAttemptAt)
        )
  ];
}

function rowOf(event: QueuedEvent, fate: PanelRow['fate']): PanelRow {
  const summary = Object.entries(event.properties)
    .filter(([name, value]) => !COMMON.has(name) && value !== null)
    .map(([name, value]) => `${name} ${short(value)}`)
    .join(', ');
  return {
    uuid: event.uuid,
    name: event.event,
    at: event.timestamp ?? '',
    summary:
      summary.length > MAX_SUMMARY
        ? `${summary.slice(0, MAX_SUMMARY)}…`
        : summary,
    fate,
    event
  };
}

function short(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
