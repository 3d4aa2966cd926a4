/** The panel “What has been sent about me”: the student's own events, and what they can do about them. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { button, element } from './dom.js';
import { toCsv, toJson } from './exportFile.js';
import { guarded } from './guard.js';
import {
  decisionLine,
  fateWords,
  namesOf,
  queueLines,
  rowsOf,
  stateLine,
  type PanelFacts,
  type PanelHost,
  type PanelRow
} from './panelView.js';

/** Longest time from a change to its picture, in milliseconds. */
const REFRESH_MS = 500;
/** Rows shown at a time. */
const PAGE = 100;

/** The panel's widget. */
export class TelemetryPanel extends Widget {
  constructor(host: PanelHost, trans: TranslationBundle) {
    super();
    this._host = host;
    this._trans = trans;
    this.id = 'ipynb-telemetry-panel';
    this.title.label = trans.__('Telemetry');
    this.title.caption = trans.__('What has been sent about me');
    this.title.closable = true;
    this.addClass('jp-ipynbTelemetry-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    this._build();
    host.changed.connect(this._onChanged, this);
  }

  override dispose(): void {
    clearTimeout(this._timer);
    this._host.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  protected override onAfterShow(): void {
    this._refresh();
  }

  protected override onAfterAttach(): void {
    this._refresh();
  }

  protected override onActivateRequest(): void {
    this._heading.focus();
  }

  private _build(): void {
    const { _host: host, _trans: trans } = this;
    const act = (action: () => void) => () => guarded('the panel', action);
    this._pause = button(trans.__('Pause'), () =>
      host.setPaused(host.facts().standing.state !== 'paused')
    );
    this._withdraw = button(
      trans.__('Withdraw'),
      act(() => host.withdraw())
    );
    this._filter.setAttribute('aria-label', trans.__('Show events named'));
    this._filter.addEventListener('change', () => this._showRows());
    this._more = button(trans.__('Show more'), () => {
      this._shown += PAGE;
      this._showRows();
    });
    this.node.append(
      element('h2', {}, this.title.caption),
      this._state,
      this._decision,
      this._queue,
      this._problem,
      element(
        'div',
        { class: 'jp-ipynbTelemetry-buttons' },
        this._pause,
        button(
          trans.__('Read the notice'),
          act(() => host.decide())
        ),
        this._withdraw
      ),
      element('h3', {}, trans.__('Events')),
      element(
        'div',
        { class: 'jp-ipynbTelemetry-buttons' },
        this._filter,
        button(trans.__('Save as JSON'), () => this._save('json')),
        button(trans.__('Save as CSV'), () => this._save('csv'))
      ),
      this._empty,
      this._list,
      element('div', { class: 'jp-ipynbTelemetry-buttons' }, this._more),
      element('h3', {}, trans.__('Delete')),
      this._deletion,
      element(
        'div',
        { class: 'jp-ipynbTelemetry-buttons' },
        button(trans.__('Delete what is kept here'), () =>
          guarded('deleting', async () => {
            this._outcome.textContent = await host.forget();
          })
        )
      ),
      this._outcome
    );
    this._heading = this.node.querySelector('h2') as HTMLElement;
    this._heading.tabIndex = -1;
  }

  private _onChanged(): void {
    if (this.isVisible && this._timer === undefined) {
      this._timer = setTimeout(() => this._refresh(), REFRESH_MS);
    }
  }

  private _refresh(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    guarded('the panel', async () => {
      this._showFacts(this._host.facts());
      const { waiting, sent } = await this._host.events();
      if (!this.isDisposed) {
        this._rows = rowsOf(waiting, sent);
        this._showRows();
      }
    });
  }

  private _showFacts(facts: PanelFacts): void {
    const { _trans: trans } = this;
    const { state, mayStop } = facts.standing;
    const [counts, problem] = queueLines(facts, trans, ms =>
      new Date(ms).toLocaleTimeString()
    );
    const contact = facts.course?.settings.notice.contact;
    write(this._state, stateLine(facts, trans));
    write(
      this._decision,
      decisionLine(facts, trans, iso => new Date(iso).toLocaleString())
    );
    write(this._queue, counts);
    write(this._problem, problem);
    write(
      this._deletion,
      trans.__(
        'Deletes the list above, what waits to be sent, your name and your decisions from this browser and this Jupyter server. What has arrived at the course is deleted by %1.',
        contact || trans.__('your instructors')
      )
    );
    write(
      this._pause,
      state === 'paused' ? trans.__('Go on') : trans.__('Pause')
    );
    const runs = state === 'sending' || state === 'tell' || state === 'paused';
    this._pause.disabled = !runs || !mayStop;
    this._withdraw.disabled = !runs || !mayStop;
  }

  private _showRows(): void {
    const { _trans: trans, _rows: rows } = this;
    const names = ['', ...namesOf(rows)];
    if (names.join() !== this._names) {
      this._names = names.join();
      const chosen = this._filter.value;
      this._filter.replaceChildren(
        ...names.map(name =>
          element('option', { value: name }, name || trans.__('All events'))
        )
      );
      this._filter.value = names.includes(chosen) ? chosen : '';
    }
    const wanted = rows.filter(
      row => this._filter.value === '' || row.name === this._filter.value
    );
    const shown = wanted.slice(0, this._shown);
    // Nodes stay what they are, so that what is open or has the focus remains so.
    const items = new Map<string, HTMLLIElement>();
    for (const row of shown) {
      const key = `${row.uuid} ${row.fate}`;
      items.set(key, this._items.get(key) ?? this._item(row));
    }
    this._items = items;
    const nodes = [...items.values()];
    if (nodes.some((node, index) => this._list.children[index] !== node)) {
      const focused = document.activeElement as HTMLElement | null;
      this._list.replaceChildren(...nodes);
      if (focused && this._list.contains(focused)) {
        focused.focus();
      }
    } else {
      while (this._list.children.length > nodes.length) {
        this._list.lastElementChild?.remove();
      }
    }
    this._more.hidden = wanted.length <= this._shown;
    write(
      this._empty,
      wanted.length === 0 ? trans.__('Nothing has been sent, or waits.') : ''
    );
  }

  private _item(row: PanelRow): HTMLLIElement {
    const details = element(
      'details',
      {},
      element(
        'summary',
        {},
        element(
          'time',
          { datetime: row.at },
          new Date(row.at).toLocaleTimeString()
        ),
        ' ',
        element('b', {}, row.name),
        ` ${row.summary} `,
        element('i', {}, fateWords(row.fate, this._trans))
      )
    );
    // The exact event is written out only for who wants to read it.
    details.addEventListener(
      'toggle',
      () =>
        details.append(element('pre', {}, JSON.stringify(row.event, null, 2))),
      { once: true }
    );
    return element('li', {}, details);
  }

  private _save(format: 'json' | 'csv'): void {
    guarded('saving the events', () => {
      const course = this._host.facts().course?.settings.course ?? '';
      const text =
        format === 'json' ? toJson(this._rows, course) : toCsv(this._rows);
      const type = format === 'json' ? 'application/json' : 'text/csv';
      const url = URL.createObjectURL(new Blob([text], { type }));
      element('a', { href: url, download: `my-events.${format}` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    });
  }

  private _host: PanelHost;
  private _trans: TranslationBundle;
  private _rows: PanelRow[] = [];
  private _items = new Map<string, HTMLLIElement>();
  private _shown = PAGE;
  private _names = '';
  private _timer: ReturnType<typeof setTimeout> | undefined = undefined;
  private _heading!: HTMLElement;
  private _pause!: HTMLButtonElement;
  private _withdraw!: HTMLButtonElement;
  private _more!: HTMLButtonElement;
  private _state = element('p', { role: 'status' });
  private _decision = element('p');
  private _queue = element('p');
  private _problem = element('p', { class: 'jp-ipynbTelemetry-problem' });
  private _filter = element('select');
  private _empty = element('p');
  private _list = element('ul', { class: 'jp-ipynbTelemetry-events' });
  private _deletion = element('p');
  private _outcome = element('p', { role: 'status' });
}

/** Writes text where it differs: a screen reader hears only what is new. */
function write(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
    if (!(node instanceof HTMLButtonElement)) {
      node.hidden = text === '';
    }
  }
}
