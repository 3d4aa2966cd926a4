/** Finding a Python, with stand-in interpreters on a PATH of our own. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  choose,
  findPython,
  missingPackages,
  probe
} from '../../scripts/setup/python.mjs';
import { useTempFolders, writeProgram } from './support.mjs';

const tempFolder = useTempFolders();
const answer = (version, venv = true) =>
  `echo '${JSON.stringify({ version: version.split('.').map(Number), venv })}'`;

let asked;
beforeEach(() => {
  asked = process.env.PYTHON;
  delete process.env.PYTHON;
});
afterEach(() => {
  if (asked === undefined) {
    delete process.env.PYTHON;
  } else {
    process.env.PYTHON = asked;
  }
});

describe('findPython', () => {
  it('takes python3 where it will do', async () => {
    const path = tempFolder();
    const file = writeProgram(path, 'python3', answer('3.11.7'));
    writeProgram(path, 'python3.12', answer('3.12.1'));
    await expect(findPython({ path, uid: 1000 })).resolves.toEqual({
      path: file,
      version: [3, 11, 7],
      venv: true
    });
  });

  it('passes over one that is too old, broken or incomplete', async () => {
    const path = tempFolder();
    writeProgram(path, 'python3', answer('3.9.2'));
    writeProgram(path, 'python3.14', 'exit 1');
    writeProgram(path, 'python3.13', answer('3.13.0', false));
    const file = writeProgram(path, 'python3.12', answer('3.12.1'));
    const found = await findPython({ path, uid: 1000 });
    expect(found.path).toBe(file);
  });

  it('looks through the folders of the PATH in order', async () => {
    const first = tempFolder();
    const second = tempFolder();
    writeProgram(second, 'python3', answer('3.13.0'));
    const file = writeProgram(first, 'python3', answer('3.11.0'));
    const path = [first, second].join(delimiter);
    expect((await findPython({ path, uid: 1000 })).path).toBe(file);
  });

  it('follows PYTHON', async () => {
    const path = tempFolder();
    writeProgram(path, 'python3', answer('3.11.7'));
    const file = writeProgram(tempFolder(), 'mine', answer('3.12.0'));
    process.env.PYTHON = file;
    expect((await findPython({ path, uid: 1000 })).path).toBe(file);
  });

  it('says which is the newest when all are too old', async () => {
    const path = tempFolder();
    const file = writeProgram(path, 'python3', answer('3.9.2'));
    await expect(findPython({ path, uid: 1000 })).rejects.toMatchObject({
      name: 'SetupError',
      message: `Python 3.10 or later is needed. The newest found is ${file}, 3.9.2.`
    });
  });

  it('says what to install when there is none', async () => {
    await expect(
      findPython({ path: tempFolder(), uid: 1000 })
    ).rejects.toMatchObject({
      message: 'Python 3.10 or later is needed. None was found.',
      hint: expect.stringContaining('apt-get install -y python3 python3-venv')
    });
  });

  it("names the apt line when Debian's Python lacks venv", async () => {
    const path = tempFolder();
    writeProgram(path, 'python3', answer('3.11.2', false));
    writeProgram(path, 'apt-get', 'exit 1');
    await expect(
      findPython({ path, uid: 1000, debians: () => true })
    ).rejects.toMatchObject({
      message: "Debian's Python 3.11.2 lacks venv or pip.",
      hint: expect.stringContaining(
        'sudo apt-get install -y python3-venv python3-pip'
      )
    });
  });

  it('does not send somebody with a Python of their own to apt', async () => {
    const path = tempFolder();
    writeProgram(path, 'python3', answer('3.11.2', false));
    await expect(
      findPython({ path, uid: 0, debians: () => false })
    ).rejects.toMatchObject({
      message: expect.stringContaining('lacks the module venv or ensurepip')
    });
  });

  describe('as root on Debian', () => {
    /** An apt-get that completes the Python, and a Python that can be completed. */
    function debian({ works = true } = {}) {
      const path = tempFolder();
      const done = join(path, 'installed');
      const log = join(path, 'apt.log');
      writeProgram(
        path,
        'python3',
        `if [ -e ${done} ]; then ${answer('3.11.2')}; else ${answer('3.11.2', false)}; fi`
      );
      writeProgram(
        path,
        'apt-get',
        `echo "$DEBIAN_FRONTEND $*" >> ${log}\n` +
          `case "$*" in *install*) ${works ? `: > ${done}` : 'exit 100'};; esac`
      );
      return { path, log };
    }

    it('says the line, runs it and goes on', async () => {
      const { path, log } = debian();
      const notes = [];
      const found = await findPython({
        path,
        uid: 0,
        debians: () => true,
        note: text => notes.push(text)
      });
      expect(found.venv).toBe(true);
      expect(notes).toEqual(['apt-get install -y python3-venv python3-pip']);
      const calls = readFileSync(log, 'utf8').trim().split('\n');
      expect(calls).toEqual([
        expect.stringMatching(/^noninteractive .*update$/),
        expect.stringMatching(/install -y python3-venv python3-pip$/)
      ]);
    });

    it('passes on what apt said when it fails', async () => {
      const { path } = debian({ works: false });
      await expect(
        findPython({ path, uid: 0, debians: () => true })
      ).rejects.toMatchObject({ name: 'CommandError' });
    });

    it('does nothing as root when nothing is missing', async () => {
      const path = tempFolder();
      const log = join(path, 'apt.log');
      writeProgram(path, 'python3', answer('3.11.7'));
      writeProgram(path, 'apt-get', `echo called >> ${log}`);
      await findPython({ path, uid: 0 });
      expect(existsSync(log)).toBe(false);
    });
  });
});

describe('missingPackages', () => {
  it('asks for the packages of just that version where it is not the default', () => {
    const folder = tempFolder();
    const own = writeProgram(folder, 'python3.12', 'exit');
    const python = { path: own, version: [3, 12, 1], venv: false };
    expect(missingPackages(python, '/elsewhere/python3')).toEqual([
      'python3.12-venv',
      'python3-pip'
    ]);
    symlinkSync(own, join(folder, 'python3'));
    expect(missingPackages(python, join(folder, 'python3'))).toEqual([
      'python3-venv',
      'python3-pip'
    ]);
  });
});

describe('choose', () => {
  const python = (version, venv) => ({
    path: version.join('.'),
    version,
    venv
  });

  it('prefers complete over incomplete, and incomplete over too old', () => {
    const old = python([3, 8, 0], true);
    const bare = python([3, 12, 0], false);
    const good = python([3, 10, 0], true);
    expect(choose([old, bare, good])).toBe(good);
    expect(choose([old, bare])).toBe(bare);
    expect(choose([old])).toBe(old);
    expect(choose([])).toBeUndefined();
  });
});

describe('probe', () => {
  it('asks a real interpreter', async () => {
    const python = await probe('python3');
    expect(python.version[0]).toBe(3);
    expect(typeof python.venv).toBe('boolean');
  });

  it('gives nothing for what is not a Python', async () => {
    expect(await probe('/bin/true')).toBeUndefined();
    expect(await probe('/nowhere/python3')).toBeUndefined();
  });
});
