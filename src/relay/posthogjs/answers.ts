/** What posthog-js asks of its host besides taking events, and the answers of one that does nothing but that. */

/** An answer; `type` is a MIME type. */
export interface Answer {
  status: 200 | 404;
  type: 'json' | 'script';
  body: string | Buffer;
}

/** Scripts by name, where an operator serves them. */
export type Scripts = ReadonlyMap<string, Buffer>;

/** A course key as it may stand in an address; nothing else is ever repeated into a script. */
const TOKEN = /^[\w-]{1,100}$/;

/** Everything that would be asked for again, or loaded, is off: recordings, surveys, flags, site apps. */
const CONFIG = {
  supportedCompression: ['gzip', 'gzip-js'],
  hasFeatureFlags: false,
  analytics: { endpoint: '/i/v0/e/' },
  sessionRecording: false,
  surveys: false,
  heatmaps: false,
  autocapture_opt_out: false,
  captureDeadClicks: false,
  capturePerformance: false,
  autocaptureExceptions: false,
  defaultIdentifiedOnly: true,
  siteApps: [],
  isAuthenticated: false,
  toolbarParams: {}
};

/** Answers of `/flags` and `/decide`, of the latter in its second and third version. */
const FLAGS = {
  flags: {},
  featureFlags: {},
  featureFlagPayloads: {},
  errorsWhileComputingFlags: false,
  config: { enable_collect_everything: true },
  sessionRecording: false,
  surveys: false,
  capturePerformance: false,
  autocapture_opt_out: false,
  supportedCompression: ['gzip', 'gzip-js'],
  toolbarParams: {},
  isAuthenticated: false,
  siteApps: []
};

/** Recordings are not taken; so told, a client makes no more of them for a while. */
const NO_RECORDINGS = { status: 'Ok', quota_limited: ['recordings'] };

const NO_POSTHOG_JS = `console.warn("This relay takes posthog-js's events, but has no posthog-js to serve: bundle it with the page, or see the option posthog-js of ipynb-telemetry.");\n`;

/** Whether posthog-js asks for something of its own under this path. */
export function isPostHogJs(path: string): boolean {
  return /^\/(?:(?:flags|decide|s)\/?$|array\/|static\/)/.test(path);
}

/** The answer to a request for `path`, one of `isPostHogJs`. */
export function answerTo(path: string, scripts: Scripts): Answer {
  const [, first, ...rest] = path.split('/');
  switch (first) {
    case 'flags':
    case 'decide':
      return json({ ...FLAGS, requestId: crypto.randomUUID() });
    case 's':
      return json(NO_RECORDINGS);
    case 'array':
      return arrayAnswer(rest) ?? nothing();
    default:
      return staticAnswer(rest, scripts) ?? nothing();
  }
}

/** `/array/TOKEN/config` and `/array/TOKEN/config.js`. */
function arrayAnswer([token = '', file, ...more]: string[]):
  Answer | undefined {
  if (!TOKEN.test(token) || more.length > 0) {
    return undefined;
  }
  const config = { token, ...CONFIG };
  if (file === 'config') {
    return json(config);
  }
  return file === 'config.js'
    ? script(
        `(function(){var c=window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};c[${JSON.stringify(token)}]={config:${JSON.stringify(config)},siteApps:[]}})();\n`
      )
    : undefined;
}

/** `/static/NAME.js` and `/static/VERSION/NAME.js`; scripts that are not there are empty ones, which harm nobody. */
function staticAnswer(rest: string[], scripts: Scripts): Answer | undefined {
  const name = rest.at(-1) ?? '';
  if (rest.length > 2 || !/^[\w.-]+\.js$/.test(name)) {
    return undefined;
  }
  return script(
    scripts.get(name) ?? (name.startsWith('array') ? NO_POSTHOG_JS : '')
  );
}

function json(value: object): Answer {
  return { status: 200, type: 'json', body: JSON.stringify(value) };
}

function script(body: string | Buffer): Answer {
  return { status: 200, type: 'script', body };
}

function nothing(): Answer {
  return { status: 404, type: 'json', body: '{}' };
}
