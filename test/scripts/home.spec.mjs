/** The folder of one `npm start`: who has it, and what happens to a student's notebook in it. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  claimHome,
  openHome,
  placeSample,
  releaseHome
} from '../../scripts/start/home.mjs';
import { useTempFolders } from './support.mjs';

const tempFolder = useTempFolders();

describe('openHome', () => {
  it('makes folders that other users cannot look into', () => {
    const home = openHome(join(tempFolder(), 'new'));
    for (const folder of [home.root, home.data, home.notebooks, home.logs]) {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
  });
});

describe('claimHome', () => {
  it('refuses a folder that a running start has, and says where its page is', async () => {
    const home = openHome(tempFolder());
    const other = spawn(process.execPath, [
      '-e',
      'setInterval(() => 0, 1000)',
      'start.mjs'
    ]);
    try {
      const page = 'http://127.0.0.1:7345';
      writeFileSync(home.running, JSON.stringify({ pid: other.pid, page }));
      expect(() => claimHome(home)).toThrow(
        `It is running already (process ${other.pid}, ${page}).`
      );
    } finally {
      other.kill('SIGKILL');
    }
  });

  it.each([
    ['was killed', JSON.stringify({ pid: 4194999 })],
    ['was cut off while it wrote', '{"pi'],
    // This very test's process is alive, but no start.
    [
      'gave its number to another program',
      JSON.stringify({ pid: process.ppid })
    ]
  ])('takes it over from one that %s', (_, left) => {
    const home = openHome(tempFolder());
    writeFileSync(home.running, left);
    claimHome(home)('http://127.0.0.1:1');
    expect(JSON.parse(readFileSync(home.running, 'utf8'))).toEqual({
      pid: process.pid,
      page: 'http://127.0.0.1:1'
    });
  });

  it('can be let go of twice', () => {
    const home = openHome(tempFolder());
    claimHome(home);
    releaseHome(home);
    releaseHome(home);
    expect(() => claimHome(home)).not.toThrow();
  });
});

describe('placeSample', () => {
  function setting() {
    const home = openHome(tempFolder());
    const sample = join(tempFolder(), 'sample.ipynb');
    const copy = join(home.notebooks, 'sample.ipynb');
    writeFileSync(sample, 'first');
    const place = () => {
      placeSample(home, sample);
      return readFileSync(copy, 'utf8');
    };
    return { sample, copy, place };
  }

  it('copies the sample', () => {
    expect(setting().place()).toBe('first');
  });

  it('never touches a copy that was worked in', () => {
    const { sample, copy, place } = setting();
    place();
    writeFileSync(copy, 'with answers');
    writeFileSync(sample, 'second');
    expect(place()).toBe('with answers');
    expect(place()).toBe('with answers');
  });

  it('never touches a file of that name that it did not put there', () => {
    const { copy, place } = setting();
    writeFileSync(copy, "somebody's own");
    expect(place()).toBe("somebody's own");
  });

  it('follows the sample while nobody has worked in the copy', () => {
    const { sample, place } = setting();
    place();
    writeFileSync(sample, 'second');
    expect(place()).toBe('second');
  });
});
