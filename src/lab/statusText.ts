/** What the status bar item says: whether this notebook is recorded, and what has not arrived yet. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** What the item shows. */
export interface StatusFacts {
  /** Who is recorded in the notebook that has the focus; null if nobody is. */
  student: string | null;
  /** Title or id of the course; null until it is known. */
  course: string | null;
  /** Why this page reports nothing at all. */
  off: string | null;
  /** Events that are not safe at the relay yet. */
  waiting: number;
  delivered: number;
  dropped: number;
  /** Why the last attempt to deliver failed. */
  trouble: string | null;
}

/** Text and tooltip for `facts`. */
export function describeStatus(
  facts: StatusFacts,
  trans: TranslationBundle
): { text: string; tooltip: string; state: 'off' | 'on' | 'offline' } {
  if (facts.trouble !== null && facts.waiting > 0) {
    return {
      state: 'offline',
      text: trans.__('Telemetry: offline (%1 waiting)', facts.waiting),
      tooltip: trans.__(
        'What you do is kept on this page and sent as soon as the relay answers. Last problem: %1',
        facts.trouble
      )
    };
  }
  if (facts.student === null || facts.off !== null) {
    return {
      state: 'off',
      text: trans.__('Telemetry: not set up'),
      tooltip:
        facts.off === null
          ? trans.__(
              'Nothing in this notebook is recorded. Its setup cell starts the recording.'
            )
          : trans.__(
              'This page reports nothing: %1. What the notebook itself sends, its setup cell says.',
              facts.off
            )
    };
  }
  const lines = [
    facts.course
      ? trans.__(
          'Runs of cells and results of tests are reported to %1 as %2.',
          facts.course,
          facts.student
        )
      : trans.__(
          'Runs of cells and results of tests are reported as %1.',
          facts.student
        ),
    trans.__('Sent: %1. Waiting: %2.', facts.delivered, facts.waiting)
  ];
  if (facts.dropped > 0) {
    lines.push(trans.__('Given up: %1.', facts.dropped));
  }
  return {
    state: 'on',
    text: trans.__('Telemetry: recording'),
    tooltip: lines.join('\n')
  };
}
