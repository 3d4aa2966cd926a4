/** Asks the running relay for work on its data folder, or does it where none runs. */
import { callRelay } from '../relay/control/client.js';
import { workOnFolder } from '../relay/pipeline/folderWork.js';
import type { Invocation } from './command.js';
import { findPlace } from './place.js';

/**
 * Runs one of the pipeline's operations. Ctrl-C ends it in good order.
 *
 * @returns what the operation gives.
 * @throws Error whose message is for people.
 */
export async function askRelay(
  invocation: Invocation,
  name: string,
  args: unknown,
  onProgress: (line: Record<string, unknown>) => void = () => undefined
): Promise<unknown> {
  const { config, paths } = await findPlace(invocation);
  const progress = (line: object): void =>
    onProgress(line as Record<string, unknown>);
  const answer = await callRelay(paths, name, args, progress);
  if (answer.running) {
    return answer.result;
  }
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const { env } = invocation;
    const place = { config, paths, env };
    return await workOnFolder(place, name, args, progress, stopping.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
