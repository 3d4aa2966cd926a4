/** `ITelemetry`: what other extensions capture, checked and handed to the session of a notebook. */
import { Signal } from '@lumino/signaling';
import { SELECTABLE_EVENTS } from '../events/collection.js';
import type {
  ITelemetry,
  RefusedCapture,
  TelemetryState
} from '../events/telemetryToken.js';
import type { Properties } from '../events/types.js';
import { isSending, type Standing } from './consent.js';
import { guarded } from './guard.js';

/** Longest JSON of an event's properties, in characters. */
export const MAX_PROPERTIES = 10_000;
const MAX_NAME = 200;

/** What the page does with an event of another extension. */
export interface CaptureHost {
  standing(): Standing;
  /** False where no session takes it. */
  capture(
    event: string,
    properties: Properties,
    notebook: object | null
  ): boolean;
}

const NOT_READY: TelemetryState = {
  recording: false,
  consent: 'unknown',
  level: 'outcomes'
};

/** There at once, so that other extensions can start; it takes events when the page is ready. */
export class Telemetry implements ITelemetry {
  /** The page is ready. */
  attach(host: CaptureHost): void {
    this._host = host;
    this.refresh();
  }

  /** Something else may hold. */
  refresh(): void {
    if (this._host === null) {
      return;
    }
    const { state, level } = this._host.standing();
    const before = this._state;
    if (before.consent !== state || before.level !== level) {
      this._state = { recording: isSending(state), consent: state, level };
      this._stateChanged.emit(this._state);
    }
  }

  get state(): TelemetryState {
    return this._state;
  }

  get stateChanged(): Signal<this, TelemetryState> {
    return this._stateChanged;
  }

  get refused(): Signal<this, RefusedCapture> {
    return this._refused;
  }

  capture(
    event: string,
    properties: Properties = {},
    options: { notebook?: object } = {}
  ): boolean {
    let reason: string | null = 'it failed';
    guarded('capturing', () => {
      reason = this._capture(event, properties, options.notebook ?? null);
    });
    if (reason !== null) {
      this._refused.emit({ event: String(event), reason });
    }
    return reason === null;
  }

  /** Why the event is not taken; null if it is. */
  private _capture(
    event: string,
    properties: Properties,
    notebook: object | null
  ): string | null {
    const host = this._host;
    if (host === null) {
      return 'the page is not ready';
    }
    const wrong = whyNotNamed(event);
    if (wrong !== null) {
      return wrong;
    }
    const copy = copyOf(properties);
    if (copy === null) {
      return `properties: not a JSON object of ${MAX_PROPERTIES} characters at most`;
    }
    const standing = host.standing();
    if (!isSending(standing.state)) {
      return `nothing is recorded: ${standing.state}`;
    }
    if (!standing.collects(event)) {
      return 'neither course nor student share events of this name';
    }
    return host.capture(event, copy, notebook)
      ? null
      : 'no session is recorded in this notebook';
  }

  private _host: CaptureHost | null = null;
  private _state = NOT_READY;
  private _stateChanged = new Signal<this, TelemetryState>(this);
  private _refused = new Signal<this, RefusedCapture>(this);
}

/** The contract's own events come from who sees them happen; `$…` are PostHog's. */
const TAKEN: ReadonlySet<string> = new Set<string>(
  [...SELECTABLE_EVENTS, 'command', 'consent'].filter(
    name => !name.startsWith('ai_')
  )
);

function whyNotNamed(event: unknown): string | null {
  if (typeof event !== 'string' || event === '' || event.length > MAX_NAME) {
    return `event: not a name of 1 to ${MAX_NAME} characters`;
  }
  return TAKEN.has(event) || event.startsWith('$')
    ? 'event: this name is taken'
    : null;
}

/** A copy that nobody changes later; null for what is no JSON object, or too large. */
function copyOf(properties: unknown): Properties | null {
  let json: string | undefined;
  try {
    json = JSON.stringify(properties);
  } catch {
    return null;
  }
  const isObject = json?.startsWith('{') === true;
  return isObject && json !== undefined && json.length <= MAX_PROPERTIES
    ? (JSON.parse(json) as Properties)
    : null;
}
