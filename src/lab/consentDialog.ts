/** The dialogue in which a student reads the whole notice and decides. Cells go on running meanwhile. */
import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { EmptyNameError, normalizeName } from '../events/names.js';
import type { PrivacyLevel } from '../events/types.js';
import type { ConsentState } from './consent.js';
import type { Course } from './courseAnswer.js';
import { element } from './dom.js';
import {
  answersOf,
  levelsUpTo,
  levelWords,
  noticeOf,
  type Notice
} from './notice.js';

/** What the dialogue is about. */
export interface DialogFacts {
  course: Course;
  state: ConsentState;
  /** Level that is chosen at first. */
  level: PrivacyLevel;
  mayStop: boolean;
  /** Nobody knows yet who the student is, and nothing else asks. */
  needsName: boolean;
}

/** What the student answered; null to decide later. */
export type DialogAnswer =
  | { decision: 'agreed'; level: PrivacyLevel; student?: string }
  | { decision: 'declined' }
  | null;

/** Shows the notice and waits for an answer. Escape is to decide later. */
export async function askConsent(
  facts: DialogFacts,
  trans: TranslationBundle
): Promise<DialogAnswer> {
  const { course, state, mayStop } = facts;
  const labels = answersOf(course, state, mayStop, trans);
  const offered = (['later', 'decline', 'agree'] as const).flatMap(action => {
    const label = labels[action];
    return label === null ? [] : [{ label, actions: [action] }];
  });
  let before: NoticeBody | undefined;
  for (;;) {
    // The dialogue takes its body along when it goes.
    const body: NoticeBody = new NoticeBody(facts, trans, before);
    const dialog = new Dialog({
      title: body.notice.title,
      body,
      // All look alike, and Enter while reading agrees to nothing.
      buttons: offered.map(one =>
        Dialog.createButton({ ...one, accept: false })
      ),
      defaultButton: 0,
      focusNodeSelector: body.focusAt
    });
    dialog.addClass('jp-ipynbTelemetry-dialog');
    // JupyterLab names only dialogues whose body is text.
    dialog.node.setAttribute('aria-label', body.notice.title);
    const { button } = await dialog.launch();
    if (button.actions.includes('decline')) {
      return { decision: 'declined' };
    }
    if (!button.actions.includes('agree')) {
      return null;
    }
    const student = body.student();
    if (student !== null) {
      return {
        decision: 'agreed',
        level: body.level,
        ...(student === '' ? {} : { student })
      };
    }
    before = body;
  }
}

/** Notice, choice of the level, and the name where it has to be asked for. */
class NoticeBody extends Widget {
  /** @param before the same dialogue, in which a name was missing. */
  constructor(
    facts: DialogFacts,
    trans: TranslationBundle,
    before?: NoticeBody
  ) {
    super();
    this.addClass('jp-ipynbTelemetry-dialogBody');
    this._facts = facts;
    this._trans = trans;
    this.level = before?.level ?? facts.level;
    this.notice = noticeOf(facts.course, this.level, trans, facts.state);
    this._text = element('div', {
      class: 'jp-ipynbTelemetry-notice',
      tabindex: '0',
      role: 'document',
      'aria-label': trans.__('Notice')
    });
    this._show();
    this.node.append(this._text);
    const levels = levelsUpTo(facts.course.settings.level);
    if (levels.length > 1) {
      this.node.append(this._levelChoice(levels));
    }
    if (facts.needsName) {
      this.node.append(this._nameFields(before));
    }
  }

  level: PrivacyLevel;
  notice: Notice;

  /** Where reading begins, or what was left out. */
  get focusAt(): string {
    return this._hint.textContent
      ? '.jp-ipynbTelemetry-names input'
      : '.jp-ipynbTelemetry-notice';
  }

  /** The name; '' where none is asked for, null where a part of it is missing. */
  student(): string | null {
    if (this._inputs.length === 0) {
      return '';
    }
    const [first, last] = this._inputs.map(input => input.value);
    try {
      return normalizeName(first ?? '', last ?? '');
    } catch (error) {
      if (!(error instanceof EmptyNameError)) {
        throw error;
      }
      return null;
    }
  }

  private _show(): void {
    const { course, state } = this._facts;
    this.notice = noticeOf(course, this.level, this._trans, state);
    this._text.replaceChildren(
      element('p', {}, this.notice.summary),
      ...this.notice.parts.flatMap(part => [
        element('h3', {}, part.heading),
        ...part.paragraphs.map(text => element('p', {}, text)),
        ...(part.list.length > 0
          ? [
              element(
                'ul',
                {},
                ...part.list.map(({ term, details }) =>
                  element('li', {}, element('b', {}, term), ` – ${details}`)
                )
              )
            ]
          : [])
      ])
    );
  }

  private _levelChoice(levels: readonly PrivacyLevel[]): HTMLElement {
    return element(
      'fieldset',
      {},
      element('legend', {}, this._trans.__('How much may leave')),
      ...levels.map(level => {
        const input = element('input', {
          type: 'radio',
          name: 'ipynb-telemetry-level',
          value: level
        });
        input.checked = level === this.level;
        input.addEventListener('change', () => {
          this.level = level;
          this._show();
        });
        return element(
          'label',
          {},
          input,
          ` ${levelWords(level, this._trans)}`
        );
      })
    );
  }

  private _nameFields(before?: NoticeBody): HTMLElement {
    this._inputs = ['given-name', 'family-name'].map(autocomplete =>
      element('input', {
        type: 'text',
        class: 'jp-mod-styled',
        maxlength: '100',
        autocomplete
      })
    );
    if (before) {
      this._hint.textContent = this._trans.__(
        'To agree, please give first and last name.'
      );
      this._inputs.forEach((input, index) => {
        input.value = before._inputs[index]?.value ?? '';
      });
    }
    const labels = [this._trans.__('First name'), this._trans.__('Last name')];
    return element(
      'fieldset',
      { class: 'jp-ipynbTelemetry-names' },
      element('legend', {}, this._trans.__('Who you are')),
      ...this._inputs.map((input, index) =>
        element('label', {}, `${labels[index]} `, input)
      ),
      this._hint
    );
  }

  private _facts: DialogFacts;
  private _trans: TranslationBundle;
  private _text: HTMLElement;
  private _inputs: HTMLInputElement[] = [];
  private _hint = element('p', { role: 'alert' });
}
