/**
 * The look of the status item and the bar, in JupyterLab's variables. Put on the page by hand:
 * the usual loader of style sheets would be a twentieth of what a page may load for us.
 */

/** Marks a text as CSS. */
export const css = String.raw;

/** Puts style rules on the page. */
export function addStyle(rules: string): void {
  const node = document.createElement('style');
  node.textContent = rules;
  document.head.append(node);
}

/** What is always there. */
export const STYLE = css`
  .jp-ipynbTelemetry-status {
    padding: 0 8px;
    border: none;
    background: transparent;
    line-height: 24px;
    white-space: nowrap;
    color: var(--jp-ui-font-color1);
    font-family: var(--jp-ui-font-family);
    font-size: var(--jp-ui-font-size1);
    cursor: pointer;
  }

  .jp-ipynbTelemetry-status:hover {
    background: var(--jp-layout-color2);
  }

  .jp-ipynbTelemetry-status:focus-visible {
    outline: 1px solid var(--jp-brand-color1);
    outline-offset: -1px;
  }

  .jp-ipynbTelemetry-status::before {
    content: '';
    display: inline-block;
    width: 7px;
    height: 7px;
    margin-right: 6px;
    border-radius: 50%;
    background: var(--jp-ui-font-color3);
  }

  .jp-ipynbTelemetry-status[data-state='on']::before {
    background: var(--jp-success-color1);
  }

  .jp-ipynbTelemetry-status[data-state='offline']::before {
    background: var(--jp-warn-color1);
  }

  .jp-ipynbTelemetry-status[data-state='ask']::before {
    background: var(--jp-brand-color1);
  }

  .jp-ipynbTelemetry-bar {
    border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
    background: var(--jp-layout-color2);
    color: var(--jp-ui-font-color1);
    font-size: var(--jp-ui-font-size1);
  }

  .jp-ipynbTelemetry-barContent {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px 12px;
    padding: 6px 12px;
  }

  .jp-ipynbTelemetry-barContent > [role='status'] {
    flex: 1 1 320px;
  }

  .jp-ipynbTelemetry-buttons {
    display: flex;
    flex-wrap: wrap;
    gap: 6px;
  }

  .jp-ipynbTelemetry-buttons button.jp-mod-styled {
    height: 26px;
    min-height: 26px;
    line-height: 24px;
    padding: 0 10px;
    border: var(--jp-border-width) solid var(--jp-border-color1);
    background: var(--jp-layout-color1);
    color: var(--jp-ui-font-color1);
    font-size: var(--jp-ui-font-size1);
  }

  .jp-ipynbTelemetry-buttons button.jp-mod-styled:hover:enabled {
    background: var(--jp-layout-color3);
  }

  .jp-ipynbTelemetry-buttons button.jp-mod-styled:disabled {
    opacity: 0.5;
  }

  .jp-ipynbTelemetry-buttons button.jp-mod-styled:focus-visible {
    outline: 2px solid var(--jp-brand-color1);
    outline-offset: 1px;
  }
`;
