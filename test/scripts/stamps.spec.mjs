/** A build runs when an input changed or an output is gone, and only then. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, makeUnlessCurrent } from '../../scripts/setup/stamps.mjs';
import { useTempFolders } from './support.mjs';

const tempFolder = useTempFolders();

function workshop() {
  const root = tempFolder();
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  writeFileSync(join(root, 'src/a.txt'), 'a');
  writeFileSync(join(root, 'src/deep/b.txt'), 'b');
  const calls = [];
  const build = (options = {}) =>
    makeUnlessCurrent({
      root,
      stamp: join(root, '.cache/stamps/thing'),
      inputs: ['src'],
      outputs: ['out.txt'],
      make: async state => {
        calls.push(state);
        writeFileSync(join(root, 'out.txt'), 'made');
      },
      ...options
    });
  return { root, build, calls };
}

describe('makeUnlessCurrent', () => {
  it('makes what is missing, and then leaves it alone', async () => {
    const { build, calls } = workshop();
    expect(await build()).toBe(true);
    expect(await build()).toBe(false);
    expect(calls).toEqual([{ missing: true }]);
  });

  it.each([
    ['is changed', 'src/deep/b.txt', 'other'],
    ['is added', 'src/c.txt', 'c']
  ])('makes it again when an input %s', async (_, file, text) => {
    const { root, build, calls } = workshop();
    await build();
    writeFileSync(join(root, file), text);
    expect(await build()).toBe(true);
    expect(calls[1]).toEqual({ missing: false });
  });

  it('makes it again when an input is removed', async () => {
    const { root, build } = workshop();
    await build();
    rmSync(join(root, 'src/a.txt'));
    expect(await build()).toBe(true);
  });

  it('makes it again when an output is gone, and says so', async () => {
    const { root, build, calls } = workshop();
    await build();
    rmSync(join(root, 'out.txt'));
    expect(await build()).toBe(true);
    expect(calls[1]).toEqual({ missing: true });
  });

  it('makes it again when something else it depends on changed', async () => {
    const { build } = workshop();
    await build({ extra: '3.11.7' });
    expect(await build({ extra: '3.11.7' })).toBe(false);
    expect(await build({ extra: '3.12.0' })).toBe(true);
  });

  it('tries again after a failure', async () => {
    const { build } = workshop();
    const make = () => Promise.reject(new Error('broken'));
    await build();
    await expect(build({ extra: 'x', make })).rejects.toThrow('broken');
    expect(await build()).toBe(true);
  });

  it('does not count an input changed during the work as built', async () => {
    const { root, build } = workshop();
    const make = async () => {
      writeFileSync(join(root, 'out.txt'), 'made');
      writeFileSync(join(root, 'src/a.txt'), 'changed meanwhile');
    };
    await build({ make });
    expect(await build()).toBe(true);
  });

  it('names the output that the work did not give', async () => {
    const { build } = workshop();
    await expect(build({ make: async () => undefined })).rejects.toThrow(
      'The build did not give out.txt.'
    );
  });
});

describe('fingerprint', () => {
  it('tells contents apart that only moved between files', () => {
    const { root } = workshop();
    const before = fingerprint(root, ['src']);
    writeFileSync(join(root, 'src/a.txt'), 'b');
    writeFileSync(join(root, 'src/deep/b.txt'), 'a');
    expect(fingerprint(root, ['src'])).not.toBe(before);
  });

  it('takes a missing input as empty, and looks away from caches', () => {
    const { root } = workshop();
    const before = fingerprint(root, ['src', 'absent']);
    mkdirSync(join(root, 'src/__pycache__'));
    writeFileSync(join(root, 'src/__pycache__/a.pyc'), 'x');
    expect(fingerprint(root, ['src', 'absent'])).toBe(before);
  });
});
