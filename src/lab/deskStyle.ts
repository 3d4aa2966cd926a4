/** The look of what a student opens: the dialogue and the panel. */
import { css } from './style.js';

/** Added when it is first opened. */
export const DESK_STYLE = css`
  .jp-ipynbTelemetry-dialog .jp-Dialog-content {
    max-width: 680px;
    max-height: 90vh;
  }

  .jp-ipynbTelemetry-dialogBody input[type='radio'] {
    appearance: auto;
    width: auto;
    height: auto;
    margin: 0 4px 0 0;
    vertical-align: middle;
  }

  .jp-ipynbTelemetry-dialogBody {
    display: flex;
    flex-direction: column;
    gap: 10px;
    min-height: 0;
    color: var(--jp-ui-font-color1);
    font-size: var(--jp-ui-font-size1);
  }

  .jp-ipynbTelemetry-notice {
    max-height: 50vh;
    padding: 0 12px;
    overflow-y: auto;
    border: var(--jp-border-width) solid var(--jp-border-color2);
    background: var(--jp-layout-color1);
    line-height: 1.45;
  }

  .jp-ipynbTelemetry-notice:focus-visible {
    outline: 2px solid var(--jp-brand-color1);
    outline-offset: 1px;
  }

  .jp-ipynbTelemetry-notice h3 {
    margin: 14px 0 4px;
    font-size: var(--jp-ui-font-size1);
    font-weight: 600;
  }

  .jp-ipynbTelemetry-notice p {
    margin: 6px 0;
    white-space: pre-line;
  }

  .jp-ipynbTelemetry-notice ul {
    margin: 4px 0;
    padding-left: 20px;
  }

  .jp-ipynbTelemetry-dialogBody fieldset {
    display: flex;
    flex-direction: column;
    gap: 4px;
    margin: 0;
    padding: 6px 12px 8px;
    border: var(--jp-border-width) solid var(--jp-border-color2);
  }

  .jp-ipynbTelemetry-dialogBody fieldset.jp-ipynbTelemetry-names {
    flex-flow: row wrap;
    gap: 4px 16px;
  }

  .jp-ipynbTelemetry-names [role='alert']:empty {
    display: none;
  }

  .jp-ipynbTelemetry-names [role='alert'] {
    margin: 4px 0;
    color: var(--jp-error-color1);
  }

  .jp-ipynbTelemetry-panel {
    padding: 8px 12px 16px;
    overflow-y: auto;
    background: var(--jp-layout-color1);
    color: var(--jp-ui-font-color1);
    font-size: var(--jp-ui-font-size1);
    line-height: 1.45;
  }

  .jp-ipynbTelemetry-panel h2 {
    margin: 4px 0 8px;
    outline: none;
    font-size: var(--jp-ui-font-size2);
    font-weight: 600;
  }

  .jp-ipynbTelemetry-panel h3 {
    margin: 14px 0 4px;
    font-size: var(--jp-ui-font-size1);
    font-weight: 600;
  }

  .jp-ipynbTelemetry-panel p {
    margin: 4px 0;
  }

  .jp-ipynbTelemetry-panel .jp-ipynbTelemetry-problem {
    color: var(--jp-error-color1);
  }

  .jp-ipynbTelemetry-events summary:focus-visible {
    outline: 2px solid var(--jp-brand-color1);
    outline-offset: 1px;
  }

  .jp-ipynbTelemetry-panel .jp-ipynbTelemetry-buttons {
    margin: 8px 0;
  }

  .jp-ipynbTelemetry-buttons select {
    height: 26px;
    padding: 0 4px;
    border: var(--jp-border-width) solid var(--jp-border-color1);
    background-color: var(--jp-layout-color1);
    color: var(--jp-ui-font-color1);
    font-size: var(--jp-ui-font-size1);
  }

  .jp-ipynbTelemetry-events {
    margin: 0;
    padding: 0;
    list-style: none;
    border-top: var(--jp-border-width) solid var(--jp-border-color2);
  }

  .jp-ipynbTelemetry-events:empty {
    display: none;
  }

  .jp-ipynbTelemetry-events li {
    border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  }

  .jp-ipynbTelemetry-events summary {
    padding: 4px 0;
    overflow-wrap: anywhere;
    cursor: pointer;
  }

  .jp-ipynbTelemetry-events time,
  .jp-ipynbTelemetry-events i {
    color: var(--jp-ui-font-color2);
  }

  .jp-ipynbTelemetry-events pre {
    margin: 0 0 8px;
    padding: 6px 8px;
    overflow-x: auto;
    background: var(--jp-layout-color2);
    color: var(--jp-content-font-color1);
    font-family: var(--jp-code-font-family);
    font-size: var(--jp-code-font-size);
    line-height: var(--jp-code-line-height);
  }
`;
