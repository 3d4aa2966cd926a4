/** The bar above a notebook that asks or tells; it is in nobody's way and takes no focus. */
import { Widget } from '@lumino/widgets';
import type { BarAction, BarText } from './barText.js';
import { button, element } from './dom.js';

/** One bar, above one notebook. */
export class NoticeBar extends Widget {
  constructor(
    label: string,
    onAction: (action: BarAction) => void,
    onEscape: () => void
  ) {
    super();
    this.addClass('jp-ipynbTelemetry-bar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', label);
    this._onAction = onAction;
    this._onEscape = onEscape;
    this._content = element('div', { class: 'jp-ipynbTelemetry-barContent' });
    this.node.append(this._content);
    // A box layout gives it the least height it asks for, which depends on how text wraps.
    this._observer = new ResizeObserver(() => this._fit());
  }

  /** Shows `bar`. */
  present(bar: BarText): void {
    const key = JSON.stringify(bar);
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    this._content.replaceChildren(
      element('span', { role: 'status' }, bar.text),
      element(
        'span',
        { class: 'jp-ipynbTelemetry-buttons' },
        ...bar.buttons.map(({ action, label }) =>
          // All answers look alike: none is recommended.
          button(label, () => this._onAction(action))
        )
      )
    );
  }

  override dispose(): void {
    this._observer.disconnect();
    super.dispose();
  }

  handleEvent(event: Event): void {
    if ((event as KeyboardEvent).key === 'Escape') {
      event.stopPropagation();
      this._onEscape();
    }
  }

  protected override onAfterAttach(): void {
    this.node.addEventListener('keydown', this);
    this._observer.observe(this._content);
  }

  protected override onBeforeDetach(): void {
    this.node.removeEventListener('keydown', this);
    this._observer.disconnect();
  }

  private _fit(): void {
    const height = `${this._content.offsetHeight}px`;
    if (this.node.style.minHeight !== height) {
      this.node.style.minHeight = height;
      this.parent?.fit();
    }
  }

  private _content: HTMLElement;
  private _observer: ResizeObserver;
  private _onAction: (action: BarAction) => void;
  private _onEscape: () => void;
  private _shown = '';
}
