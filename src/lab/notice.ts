/** The notice: what a course collects, who gets it and for how long, in words made from its real settings. */
import { SELECTABLE_EVENTS } from '../events/collection.js';
import type { PrivacyLevel } from '../events/types.js';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ConsentState } from './consent.js';
import { courseName, LEVELS, type Course } from './courseAnswer.js';

type Selectable = (typeof SELECTABLE_EVENTS)[number];

/** One event in words: what it is told of, and each of its properties. */
export interface EventWords {
  what: string;
  properties: Readonly<Record<string, string>>;
}

/** A part of the notice: a heading, then paragraphs or a list. */
export interface NoticePart {
  heading: string;
  paragraphs: readonly string[];
  /** Each entry with what belongs to it. */
  list: readonly { term: string; details: string }[];
}

/** The whole notice. */
export interface Notice {
  title: string;
  /** Who asks, and what for, in one sentence. */
  summary: string;
  parts: readonly NoticePart[];
}

/** Words for the events a course can select, at `level`. Every property of the contract has its own. */
export function eventWords(
  level: PrivacyLevel,
  trans: TranslationBundle
): Record<Selectable, EventWords> {
  const cell = trans.__('which cell');
  const ms = trans.__('how long it took');
  const err =
    level === 'outcomes'
      ? trans.__('the type of an error, without its message')
      : trans.__('the type of an error and its message (200 characters)');
  return {
    start: {
      what: trans.__('A session begins'),
      properties: {
        client: trans.__('which program began it'),
        kernel: trans.__('the kernel’s version'),
        language: trans.__('the language’s version')
      }
    },
    end: {
      what: trans.__('A session ends'),
      properties: {
        reason: trans.__('why'),
        made: trans.__('how many events were made'),
        delivered: trans.__('how many arrived'),
        dropped: trans.__('how many were lost')
      }
    },
    cell: {
      what: trans.__('You run a code cell'),
      properties: {
        cell_id: cell,
        cell_num: trans.__('the number of the run in the session'),
        code:
          level === 'outcomes'
            ? trans.__('no code')
            : trans.__('your code (500 characters)'),
        status: trans.__('whether it worked'),
        ms,
        err,
        count: trans.__('the number in brackets beside the cell'),
        lines: trans.__('how many lines it has'),
        nb_cell: trans.__('the notebook’s own name for the cell')
      }
    },
    test: {
      what: trans.__('A test checks your work'),
      properties: {
        ex: trans.__('which exercise'),
        ok: trans.__('whether you passed'),
        status: trans.__('how it ended'),
        try: trans.__('which attempt it was'),
        ms,
        err,
        cell_id: cell
      }
    },
    notebook: {
      what: trans.__('A notebook is opened, saved, closed or renamed'),
      properties: { action: trans.__('which of these') }
    },
    kernel: {
      what: trans.__('The kernel is restarted or interrupted, or dies'),
      properties: { action: trans.__('which of these') }
    },
    focus: {
      what: trans.__('You leave a cell you worked in'),
      properties: {
        cell_id: cell,
        ms: trans.__('how long you were active in it')
      }
    },
    edit: {
      what: trans.__('Cells are added, removed, moved or pasted into'),
      properties: {
        action: trans.__('which of these'),
        cell_id: cell,
        chars: trans.__('how many characters were pasted, never the text')
      }
    },
    ai_suggestion: {
      what: trans.__('An AI assistant suggests code as you type'),
      properties: {
        suggestion_id: trans.__('a number for the suggestion'),
        outcome: trans.__('what became of it'),
        activity: trans.__('what it was for'),
        provider: trans.__('the assistant'),
        model: trans.__('its model'),
        language: trans.__('the cell’s language'),
        latency_ms: trans.__('how long it took'),
        lines: trans.__('how many lines'),
        chars: trans.__('how many characters, never the text')
      }
    },
    ai_feature: {
      what: trans.__('You use an AI assistant in another way'),
      properties: { feature: trans.__('which feature') }
    }
  };
}

/** What a level lets leave, for the choice among them. */
export function levelWords(
  level: PrivacyLevel,
  trans: TranslationBundle
): string {
  switch (level) {
    case 'outcomes':
      return trans.__('Outcomes only: no code and no error messages');
    case 'code':
      return trans.__(
        'Code too: what you run (500 characters) and error messages (200 characters)'
      );
    case 'full':
      return trans.__(
        'Everything the course collects: code, error messages and, where an event has them, outputs'
      );
  }
}

/** Levels that a student of `course` can choose from, the least first. */
export function levelsUpTo(level: PrivacyLevel): readonly PrivacyLevel[] {
  return LEVELS.slice(0, LEVELS.indexOf(level) + 1);
}

/** What the buttons below the notice say; null where one is not offered. */
export function answersOf(
  { settings }: Course,
  state: ConsentState,
  mayStop: boolean,
  trans: TranslationBundle
): { later: string; decline: string | null; agree: string } {
  const running = state === 'sending' || state === 'tell';
  const paused = state === 'paused';
  const declined = state === 'declined';
  const agree =
    settings.consent === 'opt-in'
      ? trans.__('I agree')
      : declined
        ? trans.__('Record again')
        : trans.__('OK');
  return {
    later:
      state === 'sending' || paused || declined
        ? trans.__('Close')
        : trans.__('Decide later'),
    decline:
      !mayStop || declined
        ? null
        : running || paused
          ? trans.__('Stop recording')
          : trans.__('No'),
    agree: paused ? trans.__('Go on recording') : agree
  };
}

/** The notice of `course` as it would be at `level`, for who is in `state`. */
export function noticeOf(
  course: Course,
  level: PrivacyLevel,
  trans: TranslationBundle,
  state: ConsentState = 'tell'
): Notice {
  const { settings } = course;
  const { notice } = settings;
  const words = eventWords(level, trans);
  const events = SELECTABLE_EVENTS.filter(name =>
    settings.events.includes(name)
  );
  const name = courseName(course, trans);
  const asks = settings.consent === 'opt-in';
  return {
    title: asks
      ? trans.__('%1 asks for your agreement', name)
      : trans.__('%1 records this notebook', name),
    summary: asks
      ? trans.__(
          'Nothing is recorded before you agree. Whether you do has no effect on what you can run, and you can change your mind at any time.'
        )
      : state === 'declined'
        ? trans.__(
            'You stopped the recording: nothing is recorded. If you let it begin again, the course records what is listed here while you work.'
          )
        : course.policy.mandatory
          ? trans.__('The course records what is listed here while you work.')
          : trans.__(
              'The course records what is listed here while you work. You can pause or stop it at any time.'
            ),
    parts: [
      {
        heading: trans.__('What is recorded'),
        paragraphs: [],
        list: [
          ...events.map(event => ({
            term: words[event].what,
            details: Object.values(words[event].properties).join(', ')
          })),
          {
            term: trans.__('You decide on this notice'),
            details: trans.__(
              'that you agreed, changed your mind or withdrew, the level, the version of the notice'
            )
          },
          {
            term: trans.__(
              'The notebook, or another extension, has its own event'
            ),
            details: trans.__('what it reports; the panel shows each event')
          }
        ]
      },
      {
        heading: trans.__('With each of them'),
        paragraphs: [
          trans.__(
            'The time, your name, the notebook, a number for the session, a running number, and the version of the program that reports.'
          ),
          settings.identity === 'pseudonyms'
            ? trans.__(
                'The relay replaces your name by a pseudonym before anything is stored.'
              )
            : trans.__('Your name is stored with them.')
        ],
        list: []
      },
      {
        heading: trans.__('What stays with you'),
        paragraphs: [
          level === 'outcomes'
            ? trans.__(
                'Your code, outputs, error messages, texts and files, and everything you type without running it.'
              )
            : level === 'code'
              ? trans.__(
                  'Outputs, texts and files, and everything you type without running it.'
                )
              : trans.__(
                  'Texts and files, and everything you type without running it.'
                )
        ],
        list: []
      },
      {
        heading: trans.__('Who gets it'),
        paragraphs: [
          trans.__(
            'Receiver: %1',
            notice.receiver || trans.__('not stated by the course')
          ),
          notice.retention_days === null
            ? trans.__('Kept: the course states no time limit')
            : trans.__('Kept: %1 days', notice.retention_days),
          trans.__(
            'Questions, and deletion of what has arrived: %1',
            notice.contact || trans.__('your instructors')
          )
        ],
        list: []
      },
      ...(notice.text
        ? [
            {
              heading: trans.__('The course adds'),
              paragraphs: notice.text.split(/\n\s*\n/),
              list: []
            }
          ]
        : []),
      {
        heading: trans.__('Version'),
        paragraphs: [
          trans.__(
            'This is version %1 of the notice. If it changes, you are asked again, or told.',
            notice.version
          )
        ],
        list: []
      }
    ]
  };
}
