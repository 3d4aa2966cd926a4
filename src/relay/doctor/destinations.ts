/** Asks each PostHog whether it is there and knows the key, by a request that stores nothing. */
import type { Destination } from '../destinations.js';
import { about, type Finding } from './findings.js';

/** How long a destination may take, in ms. */
const PATIENCE_MS = 5_000;

/** What came of asking one. */
export interface Visit {
  finding: Finding;
  /** By how much our clock is ahead of the destination's, in ms; null where it did not say. */
  aheadMs: number | null;
}

/** Asks it. Never rejects. */
export async function visit(
  { name, host, apiKey, problem }: Destination,
  patienceMs = PATIENCE_MS
): Promise<Visit> {
  const sink = about(name);
  if (apiKey === null) {
    const [found, ...rest] = (problem ?? 'its key is missing').split('. ');
    return {
      finding: sink.problem(
        found!,
        rest.join('. ') ||
          'Give the course a key: course set --posthog-key-env.'
      ),
      aheadMs: null
    };
  }
  const began = Date.now();
  try {
    // Flags are only evaluated, and here not even that: no event and no person comes of it.
    const response = await fetch(`${host}/flags/?v=2`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        token: apiKey,
        distinct_id: 'ipynb-telemetry-doctor',
        disable_flags: true
      }),
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs)
    });
    await response.body?.cancel();
    const middle = (began + Date.now()) / 2;
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      finding: judge(sink, host, response.status),
      aheadMs: Number.isNaN(date) ? null : middle - date
    };
  } catch (error) {
    const { name: kind, cause } = error as Error & {
      cause?: { code?: string };
    };
    const why =
      kind === 'TimeoutError'
        ? `no answer within ${patienceMs / 1000} s`
        : (cause?.code ?? 'the request failed');
    return {
      finding: sink.warn(
        `${host} cannot be reached (${why})`,
        'Events wait in the log until it can be. Check the address, the network and its proxy.'
      ),
      aheadMs: null
    };
  }
}

function judge(
  sink: ReturnType<typeof about>,
  host: string,
  status: number
): Finding {
  if (status === 200) {
    return sink.ok(`${host} answers and takes the key`);
  }
  if (status === 401 || status === 403) {
    return sink.problem(
      `${host} does not know the key (${status})`,
      "Copy the project API key from PostHog's project settings; the events wait in the log."
    );
  }
  if (status === 429 || status >= 500) {
    return sink.warn(
      `${host} answers ${status}`,
      'It is busy or down; events wait in the log and are sent later.'
    );
  }
  return sink.warn(
    `${host} answers ${status}, which PostHog does not`,
    'Check that the address is that of a PostHog, such as https://eu.i.posthog.com.'
  );
}
