/** How commands about students' data reach it: through the running relay, or in the folder itself where none runs. */
import { callRelay } from '../relay/control/client.js';
import { localPrincipal } from '../relay/privacy/audit.js';
import type { Desk } from '../relay/privacy/desk.js';
import { atClosedFolder } from '../relay/privacy/place.js';
import type { Invocation } from './command.js';
import { findPlace } from './place.js';

/** Asks the running relay for `operation`, or lets `work` do the same at the desk of a folder that nobody holds. */
export async function atDesk<T>(
  invocation: Invocation,
  operation: string,
  args: Record<string, unknown>,
  work: (desk: Desk, who: string) => Promise<T>,
  onProgress?: (line: object) => void
): Promise<T> {
  const { paths, config } = await findPlace(invocation);
  const who = localPrincipal(invocation.env);
  const answer = await callRelay(
    paths,
    operation,
    { ...args, who },
    onProgress
  );
  if (answer.running) {
    return answer.result as T;
  }
  return atClosedFolder(
    paths,
    {
      destination:
        config['posthog-key'] === null
          ? null
          : { host: config['posthog-host'], apiKey: config['posthog-key'] },
      env: invocation.env,
      engine: config['log-engine']
    },
    desk => work(desk, who)
  );
}
