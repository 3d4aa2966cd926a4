/** Does what a relay would be asked for where none runs: opens the data folder, works on it, and closes it. */
import { createPostHogSink } from '../../sinks/index.js';
import type { RelayConfig } from '../config/options.js';
import { openCourseStore } from '../courses/courseStore.js';
import { createDuplicateWindow } from '../door/duplicates.js';
import { rebuildWindow } from '../door/rebuild.js';
import { projectOf } from '../destinations.js';
import { furthestCursor } from '../feeders.js';
import type { DataPaths } from '../files.js';
import { openSegmentLog } from '../log/segmentLog.js';
import { openRuleBook } from '../privacy/ruleBook.js';
import { openDeadLetters } from './deadLetters.js';
import { pipelineOperations, REPLAY_LETTERS } from './operations.js';
import { replaySinks } from './replaySinks.js';

/**
 * Runs one of the pipeline's operations on a data folder that no relay holds.
 *
 * @throws Error that says what to do if a relay holds it after all, or the work fails.
 */
export async function workOnFolder(
  place: {
    config: RelayConfig;
    paths: DataPaths;
    env: Readonly<Record<string, string | undefined>>;
  },
  name: string,
  args: unknown,
  progress: (line: object) => void,
  signal: AbortSignal
): Promise<unknown> {
  const { config, paths, env } = place;
  const courses = openCourseStore(paths.courses, error => {
    throw error;
  });
  // Its lock keeps a relay from starting meanwhile.
  const log = await openSegmentLog({
    dir: paths.log,
    segmentBytes: config['segment-bytes'],
    startAt: await furthestCursor(paths.cursors)
  });
  try {
    const deadLetters = await openDeadLetters(paths.deadLetters, {
      maxBytes: config['dead-letter-bytes']
    });
    try {
      const days = config['duplicate-window-days'];
      const duplicates = createDuplicateWindow({ days });
      if (name === REPLAY_LETTERS) {
        await rebuildWindow(log, duplicates, Date.now() - days * 86_400_000);
      }
      const rules = openRuleBook(paths);
      const operations = pipelineOperations(() => ({
        log,
        deadLetters,
        courses,
        duplicates,
        rulesOf: course => rules.rulesOf(course),
        simulated: id => courses.course(id)?.simulated === true,
        sinks: replaySinks({
          courses,
          destination: projectOf(config),
          env,
          createPostHogSink
        })
      }));
      return await operations[name]!(args, progress, signal);
    } finally {
      await deadLetters.close();
    }
  } finally {
    await log.close();
  }
}
