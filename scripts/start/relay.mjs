/** Starts the relay with a course to try things in. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup/paths.mjs';
import { run } from '../setup/run.mjs';
import { startService } from './service.mjs';

const CLI = join(ROOT, 'lib', 'cli', 'main.js');
const READY_MS = 60_000;
const GRACE_MS = 10_000;
const COURSE = 'demo';
/** Whoever tries it wants to see everything that happens in a notebook. */
const EVENTS = 'all,-ai_suggestion,-ai_feature';

/**
 * The relay's environment: a PostHog project under the names that PostHog's own tools use is
 * taken over.
 * @param {NodeJS.ProcessEnv} base
 * @param {string} [posthogHost] from the command line; wins
 * @returns {NodeJS.ProcessEnv}
 */
export function relayEnvironment(base, posthogHost) {
  const env = { ...base };
  env.IPYNB_TELEMETRY_POSTHOG_KEY ??= base.POSTHOG_API_KEY;
  if (posthogHost ?? base.POSTHOG_HOST) {
    env.IPYNB_TELEMETRY_POSTHOG_HOST =
      posthogHost ?? base.IPYNB_TELEMETRY_POSTHOG_HOST ?? base.POSTHOG_HOST;
  }
  for (const name of Object.keys(env)) {
    if (env[name] === undefined || env[name] === '') {
      delete env[name];
    }
  }
  return env;
}

function courseExists(home) {
  const file = join(home.data, 'courses.json');
  if (!existsSync(file)) {
    return false;
  }
  const { courses = [] } = JSON.parse(readFileSync(file, 'utf8'));
  return courses.some(({ id }) => id === COURSE);
}

/** Makes the course once, and its key anew if that is lost. @returns {Promise<string>} the key */
async function ensureCourse(home, env) {
  const exists = courseExists(home);
  if (!exists || !existsSync(home.keyFile)) {
    rmSync(home.keyFile, { force: true });
    const command = exists
      ? ['key', 'add', COURSE]
      : ['course', 'add', COURSE, '--title', 'Demo class', '--events', EVENTS];
    const where = ['--key-file', home.keyFile, '--data', home.data];
    await run(process.execPath, [CLI, ...command, ...where], { env });
  }
  return readFileSync(home.keyFile, 'utf8').trim();
}

/**
 * @param {object} options
 * @param {ReturnType<import('./home.mjs').openHome>} options.home
 * @param {number} options.port a free one
 * @param {string} [options.posthogHost]
 */
export async function startRelay({ home, port, posthogHost }) {
  const env = relayEnvironment(process.env, posthogHost);
  const key = await ensureCourse(home, env);
  const host = `http://127.0.0.1:${port}`;
  const service = startService({
    name: 'The relay',
    command: process.execPath,
    args: [CLI, 'relay', '--data', home.data, '--port', String(port)],
    cwd: ROOT,
    env,
    logFile: join(home.logs, 'relay.log'),
    graceMs: GRACE_MS
  });
  let link;
  service.onLine(line => {
    link ??= /https?:\/\/\S+token=\S+/.exec(line)?.[0];
  });
  return {
    ...service,
    host,
    key,
    posthog: env.IPYNB_TELEMETRY_POSTHOG_KEY
      ? (env.IPYNB_TELEMETRY_POSTHOG_HOST ?? 'https://us.i.posthog.com')
      : undefined,
    /** Waits until it takes events. @returns {Promise<string>} the page's link, good for one login */
    async ready() {
      await service.waitUntil(async () => {
        const answer = await fetch(`${host}/readyz`);
        await answer.arrayBuffer();
        return answer.ok && link !== undefined;
      }, READY_MS);
      return link;
    }
  };
}
