/** The token by which other JupyterLab extensions capture events under the same consent. */
import { Token } from '@lumino/coreutils';
import type { PrivacyLevel, Properties } from './types.js';

/** What holds on the page, for whoever wants to capture. */
export interface TelemetryState {
  /** Whether events are made and sent. */
  readonly recording: boolean;
  /** The student's consent; [docs/consent.md] has what each means. */
  readonly consent:
    'unknown' | 'ask' | 'tell' | 'sending' | 'paused' | 'declined' | 'off';
  /** How much may leave: the strictest of course, policy, agreement and the student's settings. */
  readonly level: PrivacyLevel;
}

/** An event that was not taken, and why. */
export interface RefusedCapture {
  readonly event: string;
  readonly reason: string;
}

/** The part of a Lumino signal that is used here; `ISignal` fits. */
export interface TelemetrySignal<S, T> {
  connect(slot: (sender: S, args: T) => void, thisArg?: unknown): boolean;
  disconnect(slot: (sender: S, args: T) => void, thisArg?: unknown): boolean;
}

/** Captures events of other extensions, in the session of a notebook. */
export interface ITelemetry {
  /**
   * Captures an event: of a name of your own, or `ai_feature` or `ai_suggestion`. It gets
   * the common properties of a session, goes the way of all events, and is sent only if
   * the student agreed. Never throws and never waits.
   *
   * @param event its name; the names of the contract's other events are taken.
   * @param properties JSON, 10,000 characters at most; they are copied.
   * @param options `notebook`: the notebook's widget; without it, the one with the focus.
   * @returns false where it was not taken; `refused` says why.
   */
  capture(
    event: string,
    properties?: Properties,
    options?: { notebook?: object }
  ): boolean;
  /** What holds now. */
  readonly state: TelemetryState;
  /** Something else holds. */
  readonly stateChanged: TelemetrySignal<ITelemetry, TelemetryState>;
  /** An event was not taken. */
  readonly refused: TelemetrySignal<ITelemetry, RefusedCapture>;
}

/** Ask for it in `requires` or `optional` of a plugin. */
export const ITelemetry = new Token<ITelemetry>(
  'ipynb-telemetry:ITelemetry',
  'Captures events of an extension under the consent the student gave to the course.'
);
