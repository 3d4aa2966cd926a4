/** docs/events.md says what the contract says. Needs a built `lib`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(
  new URL('../../scripts/events-doc.mjs', import.meta.url)
);

describe('docs/events.md', () => {
  it('is current', () => {
    const run = spawnSync(process.execPath, [script, '--check'], {
      encoding: 'utf8'
    });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  });
});
