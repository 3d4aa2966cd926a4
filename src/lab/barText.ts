/** What the bar above a notebook says, and what it offers. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Standing } from './consent.js';
import { courseName, type Course, type Decision } from './courseAnswer.js';

/** What a button of the bar does. */
export type BarAction = 'read' | 'agree' | 'decline' | 'seen';

/** The bar. */
export interface BarText {
  text: string;
  buttons: readonly { action: BarAction; label: string }[];
}

/**
 * The bar for what holds; null where there is nothing to ask or tell.
 *
 * @param needsName nothing can be recorded before the student gives a name.
 */
export function barOf(
  standing: Standing,
  course: Course | null,
  record: Decision | null,
  trans: TranslationBundle,
  needsName = false
): BarText | null {
  const { state, mayStop } = standing;
  const told = state === 'sending' && !needsName;
  if (course === null || told || !['ask', 'tell', 'sending'].includes(state)) {
    return null;
  }
  const name = courseName(course, trans);
  const renewed =
    record !== null && record.notice_version < course.settings.notice.version;
  if (state === 'ask') {
    return {
      text: renewed
        ? trans.__(
            '“%1” has changed what it records and asks for your agreement again. Nothing is recorded before you answer.',
            name
          )
        : trans.__(
            '“%1” asks for your agreement to record what happens in this notebook. Nothing is recorded before you answer.',
            name
          ),
      buttons: [
        { action: 'read', label: trans.__('Read and decide') },
        { action: 'agree', label: trans.__('I agree') },
        { action: 'decline', label: trans.__('No') }
      ]
    };
  }
  return {
    text: needsName
      ? trans.__(
          '“%1” records what happens in this notebook once you have given your name.',
          name
        )
      : renewed
        ? trans.__('“%1” has changed what it records in this notebook.', name)
        : trans.__('“%1” records what happens in this notebook.', name),
    buttons: [
      { action: 'read', label: trans.__('Details') },
      { action: 'seen', label: trans.__('OK') },
      ...(mayStop
        ? [{ action: 'decline' as const, label: trans.__('Stop recording') }]
        : [])
    ]
  };
}
