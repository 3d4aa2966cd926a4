/** The status item: a button that says what holds, and opens the menu with what can be done about it. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Menu, Widget } from '@lumino/widgets';
import { describeStatus, type StatusFacts } from './statusText.js';

/** The button in the status bar, or in Notebook 7's top bar. */
export class StatusItem extends Widget {
  /** @param items ids of the menu's commands. */
  constructor(
    commands: JupyterFrontEnd['commands'],
    items: readonly string[],
    trans: TranslationBundle
  ) {
    super({ node: document.createElement('button') });
    this._trans = trans;
    this.id = 'ipynb-telemetry-status';
    this.addClass('jp-ipynbTelemetry-status');
    this.node.setAttribute('type', 'button');
    this.node.setAttribute('aria-haspopup', 'menu');
    this._menu = new Menu({ commands });
    this._menu.title.label = trans.__('Telemetry');
    items.forEach(command => this._menu.addItem({ command }));
    this._menu.aboutToClose.connect(this._onMenuCloses, this);
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

  override dispose(): void {
    this._menu.dispose();
    super.dispose();
  }

  handleEvent(event: Event): void {
    if (event.type === 'click') {
      const { left, top, bottom } = this.node.getBoundingClientRect();
      this._menu.open(left, top > window.innerHeight / 2 ? top : bottom);
    }
  }

  protected override onAfterAttach(): void {
    this.node.addEventListener('click', this);
  }

  protected override onBeforeDetach(): void {
    this.node.removeEventListener('click', this);
  }

  /** Back to where the student was, also after Escape. */
  private _onMenuCloses(): void {
    if (this._menu.node.contains(document.activeElement)) {
      this.node.focus();
    }
  }

  private _menu: Menu;
  private _trans: TranslationBundle;
}
