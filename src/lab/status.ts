/** The status bar item. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { describeStatus, type StatusFacts } from './statusText.js';

/** The widget in the status bar. */
export class StatusItem extends Widget {
  constructor(trans: TranslationBundle) {
    super();
    this._trans = trans;
    this.addClass('jp-ipynbTelemetry-status');
    this.node.setAttribute('role', 'status');
  }

  /** Shows `facts`. Touches the page only where something differs. */
  present(facts: StatusFacts): void {
    const { text, tooltip, state } = describeStatus(facts, this._trans);
    if (this.node.textContent !== text) {
      this.node.textContent = text;
    }
    if (this.node.title !== tooltip) {
      this.node.title = tooltip;
    }
    this.node.dataset['state'] = state;
  }

  private _trans: TranslationBundle;
}
