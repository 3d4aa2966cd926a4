/** What the status item says: whether this notebook is recorded, and what has not arrived yet. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ConsentState } from './consent.js';

/** What the item shows. */
export interface StatusFacts {
  /** What the student agreed to, or was told. */
  consent: ConsentState;
  /** Who is recorded in the notebook that has the focus; null if nobody is. */
  student: string | null;
  /** What the recording of that notebook waits for; null if it runs, or will not begin by itself. */
  begins: 'run' | 'name' | null;
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

/** Text, tooltip and colour of the item. */
export interface StatusText {
  text: string;
  tooltip: string;
  state: 'off' | 'on' | 'offline' | 'ask';
}

/** Text and tooltip for `facts`. */
export function describeStatus(
  facts: StatusFacts,
  trans: TranslationBundle
): StatusText {
  const course = facts.course ?? trans.__('the course');
  switch (facts.consent) {
    case 'ask':
      return {
        state: 'ask',
        text: trans.__('Telemetry: waits for your answer'),
        tooltip: trans.__(
          'Nothing is recorded before you answer to %1.',
          course
        )
      };
    case 'paused':
      return {
        state: 'off',
        text: trans.__('Telemetry: paused'),
        tooltip: trans.__(
          'You paused it. Nothing is recorded until you go on; what happens meanwhile is not kept.'
        )
      };
    case 'declined':
      return {
        state: 'off',
        text: trans.__('Telemetry: declined'),
        tooltip: trans.__('Nothing is recorded: you said no to %1.', course)
      };
    default:
      return describeRecording(facts, trans);
  }
}

function describeRecording(
  facts: StatusFacts,
  trans: TranslationBundle
): StatusText {
  if (facts.trouble !== null && facts.waiting > 0) {
    return {
      state: 'offline',
      text: trans.__('Telemetry: offline (%1 waiting)', facts.waiting),
      tooltip: trans.__(
        'What you do is kept in this browser and sent as soon as the relay answers. Last problem: %1',
        facts.trouble
      )
    };
  }
  if (facts.begins !== null && facts.off === null) {
    return {
      state: 'on',
      text: trans.__('Telemetry: about to record'),
      tooltip:
        facts.begins === 'name'
          ? trans.__('Recording begins once you have given your name.')
          : trans.__('Recording begins with the next run in this notebook.')
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
          'What happens in this notebook is reported to %1 as %2.',
          facts.course,
          facts.student
        )
      : trans.__(
          'What happens in this notebook is reported as %1.',
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
