/** What `npm test` does about JupyterHub where it is there already, and where it cannot be had. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetupError } from '../../scripts/setup/errors.mjs';
import { ensureHub } from '../../scripts/setup/hub.mjs';

let folder;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-hub-setup-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('JupyterHub for the tests', () => {
  it('is fetched once', async () => {
    writeFileSync(join(folder, '.version'), '3.0.0');
    expect(await ensureHub(() => undefined, { folder, path: '' })).toBe(
      '3.0.0'
    );
  });

  it('says what is needed where there is no apt', async () => {
    const noted = [];
    const error = await ensureHub(text => noted.push(text), {
      folder,
      path: ''
    }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(SetupError);
    expect(error.hint).toContain('apt-get and dpkg-deb have to be there');
    expect(error.hint).toContain('npm test -- --suite');
    expect(noted).toEqual([]);
  });
});
