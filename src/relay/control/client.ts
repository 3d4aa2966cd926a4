/** How a command asks the running relay; without one, the command works on the data folder itself. */
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { readIfThere, type DataPaths } from '../files.js';
import type { ControlLine } from './control.js';

/** What came of asking. */
export type Answer = { running: false } | { running: true; result: unknown };

/** Raised when the relay could not do what it was asked; its message is for people. */
export class ControlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ControlError';
  }
}

/**
 * Asks the relay that holds the data folder for an operation.
 *
 * @returns `{running: false}` where no relay runs.
 * @throws ControlError with what the relay said, or if it stopped in the middle.
 */
export async function callRelay(
  paths: Pick<DataPaths, 'address'>,
  name: string,
  args: unknown = {},
  onProgress: (line: object) => void = () => undefined
): Promise<Answer> {
  const socketPath = socketIn(await readIfThere(paths.address));
  const response = socketPath && (await post(socketPath, name, args));
  if (!response) {
    return { running: false };
  }
  try {
    for await (const text of createInterface({ input: response })) {
      const line = JSON.parse(text) as ControlLine;
      if ('progress' in line) {
        onProgress(line.progress);
      } else if ('error' in line) {
        throw new ControlError(line.error);
      } else {
        return { running: true, result: line.result };
      }
    }
  } catch (error) {
    if (error instanceof ControlError) {
      throw error;
    }
  }
  throw new ControlError(
    'the relay stopped before it had answered. Ask again once it runs; what was begun is finished or left as it was.'
  );
}

/** @returns nothing where nobody listens: the note may be of a relay that was killed. */
function post(
  socketPath: string,
  name: string,
  args: unknown
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, path: `/${name}`, method: 'POST' },
      resolve
    );
    call.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
        resolve(undefined);
      } else {
        reject(
          new ControlError(
            `the running relay cannot be asked (${error.code ?? error.message}). Run the command as the user who runs the relay.`
          )
        );
      }
    });
    call.end(JSON.stringify(args));
  });
}

/** The place of the socket that the relay noted when it started. */
function socketIn(text: string | undefined): string | undefined {
  try {
    const { control } = JSON.parse(text ?? '{}') as { control?: unknown };
    return typeof control === 'string' ? control : undefined;
  } catch {
    return undefined;
  }
}
