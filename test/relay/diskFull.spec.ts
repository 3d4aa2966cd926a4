/** A relay whose disk fills up: it refuses before nothing more fits, loses nothing, and goes on by itself. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfig } from '../../src/relay/config/resolve.js';
import { addCourse } from '../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../src/relay/files.js';
import { recordsOf } from '../../src/relay/log/contents.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { createLogger } from '../../src/relay/reporter.js';
import { startRelay } from '../../src/relay/relay.js';
import { waitFor } from '../support/waitFor.js';
import { cellEvent, read, uuidOf, type Answer } from './support/testRelay.js';

jest.setTimeout(120_000);
const MIB = 1024 * 1024;
/** Events of a post. */
const SIZE = 200;

let folder = '';
let mounted = false;
afterAll(async () => {
  if (mounted) {
    execFileSync('umount', [folder]);
  }
  await rm(folder, { recursive: true, force: true });
});

/** A disk of 8 MB where one may be mounted; whatever disk there is elsewhere. */
async function makeDisk(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], {
      stdio: 'ignore'
    });
    mounted = true;
  } catch {
    console.warn('No disk was filled: none can be mounted here.');
  }
}

describe('a disk that fills up', () => {
  it('makes the relay refuse with 503 in time, and take events again once there is room', async () => {
    await makeDisk();
    const data = join(folder, 'data');
    const paths = dataPaths(data);
    // Where the disk cannot be filled, so much is kept free that it counts as full.
    const { bavail, bsize } = await statfs(folder);
    const reserve = mounted ? 2 * MIB : bavail * bsize + 1024 * MIB;
    const { config } = resolveConfig({
      flags: {
        data,
        port: '0',
        'segment-bytes': '262144',
        'disk-reserve-bytes': String(reserve)
      },
      env: {}
    });
    const ballast = join(folder, 'ballast');
    if (mounted) {
      await writeFile(ballast, Buffer.alloc(3 * MIB));
    }
    const relay = await startRelay(config, {
      logger: createLogger('silent'),
      env: {}
    });
    const { secret } = await addCourse(paths.courses, 'demo', {
      title: 'Demo',
      level: 'full'
    });
    const accepted = new Set<string>();
    const post = async (n: number): Promise<Answer> => {
      const answer = await read(
        await fetch(`${relay.url}/batch/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            api_key: secret,
            batch: Array.from({ length: SIZE }, (_, index) =>
              cellEvent(n * SIZE + index)
            )
          })
        })
      );
      if (answer.status === 200) {
        for (let index = 0; index < SIZE; index += 1) {
          accepted.add(uuidOf(n * SIZE + index));
        }
      }
      return answer;
    };
    try {
      let n = 0;
      let answer = await post(n);
      while (answer.status === 200 && n < 200) {
        n += 1;
        answer = await post(n);
      }
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).not.toBeNull();
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.json).toMatchObject({
        code: 'log_unavailable',
        reason: 'disk-reserve'
      });
      const ready = await read(await fetch(`${relay.url}/readyz`));
      expect(ready.status).toBe(503);
      expect(ready.json).toMatchObject({
        status: 'unavailable',
        log: { writable: false }
      });
      if (mounted) {
        // What is kept free is still there.
        const left = await statfs(folder);
        expect(left.bavail * left.bsize).toBeGreaterThan(1.5 * MIB);
        expect(accepted.size).toBeGreaterThan(10 * SIZE);
        await rm(ballast);
        await waitFor('there is room', () => {
          return relay.readiness().status === 'ready';
        });
        // The client sends the refused one again.
        expect((await post(n)).status).toBe(200);
        expect((await post(n + 1)).status).toBe(200);
      }
    } finally {
      await relay.close();
    }
    const log = await openSegmentLog({ dir: paths.log });
    const kept: (string | undefined)[] = [];
    for await (const record of log.read(1)) {
      kept.push(...recordsOf(record).map(({ uuid }) => uuid));
    }
    await log.close();
    expect(kept.sort()).toEqual([...accepted].sort());
  });
});
