/** The small parts of the setup: options, ports, the lock, versions, the installed packages. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { aptLine, canInstall, which } from '../../scripts/setup/apt.mjs';
import {
  CommandError,
  explain,
  SetupError
} from '../../scripts/setup/errors.mjs';
import { withLock } from '../../scripts/setup/lock.mjs';
import { ensureNats, findNats } from '../../scripts/setup/nats.mjs';
import {
  checkNode,
  checkPlatform,
  matchesLock
} from '../../scripts/setup/node.mjs';
import { readOptions, readPort } from '../../scripts/setup/options.mjs';
import { choosePort } from '../../scripts/setup/ports.mjs';
import { formatDuration } from '../../scripts/setup/report.mjs';
import { useTempFolders, writeProgram } from './support.mjs';

const tempFolder = useTempFolders();

describe('readOptions', () => {
  const options = { port: { type: 'string' }, 'no-lab': { type: 'boolean' } };

  it('reads values and flags', () => {
    expect({
      ...readOptions(['--port', '1', '--no-lab'], options, 'npm start')
    }).toEqual({ port: '1', 'no-lab': true });
  });

  it.each([
    [['--foo'], "Unknown option '--foo'."],
    [['word'], "Unexpected argument 'word'."],
    [['--port'], "Option '--port <value>' argument missing."]
  ])(
    'answers %j with one sentence and the way to the help',
    (args, message) => {
      const read = () => readOptions(args, options, 'npm start');
      expect(read).toThrow(SetupError);
      expect(read).toThrow(message);
      try {
        read();
      } catch (error) {
        expect(error.hint).toBe('See `npm start -- --help`.');
      }
    }
  );
});

describe('readPort', () => {
  it('takes ports and nothing else', () => {
    expect(readPort('0', '--port')).toBe(0);
    expect(readPort('65535', '--port')).toBe(65_535);
    expect(readPort(undefined, '--port')).toBeUndefined();
    for (const bad of ['65536', '-1', '8e3', '', 'http']) {
      expect(() => readPort(bad, '--port')).toThrow(
        `--port takes a port from 0 to 65535, got \`${bad}\`.`
      );
    }
  });
});

describe('choosePort', () => {
  /** Holds a port until the work is over. */
  async function whileTaken(work) {
    const server = createServer();
    await new Promise(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      return await work(server.address().port);
    } finally {
      server.close();
    }
  }

  it('takes a neighbour of the usual port when that is taken', async () => {
    const chosen = await whileTaken(taken =>
      choosePort({ fallback: taken }).then(port => port - taken)
    );
    expect(chosen).toBeGreaterThan(0);
    expect(chosen).toBeLessThan(20);
  });

  it('leaves out a port that is promised to somebody else', async () => {
    const free = await choosePort({ wanted: 0, fallback: 1 });
    expect(await choosePort({ fallback: free, except: [free] })).not.toBe(free);
  });

  it('refuses a port asked for that is taken', async () => {
    await whileTaken(taken =>
      expect(choosePort({ wanted: taken, fallback: 1 })).rejects.toThrow(
        `Port ${taken} is taken.`
      )
    );
  });
});

describe('withLock', () => {
  it('lets one in after the other', async () => {
    const file = join(tempFolder(), 'deep/lock');
    const order = [];
    const work = name => async () => {
      order.push(`${name} in`);
      await new Promise(resolve => setTimeout(resolve, 20));
      order.push(`${name} out`);
    };
    await Promise.all([withLock(file, work('a')), withLock(file, work('b'))]);
    expect(order[1]).toBe(order[0].replace('in', 'out'));
    expect(order).toHaveLength(4);
    expect(existsSync(file)).toBe(false);
  });

  it('is let go after an error, which is passed on', async () => {
    const file = join(tempFolder(), 'lock');
    const fail = () => Promise.reject(new Error('no'));
    await expect(withLock(file, fail)).rejects.toThrow('no');
    await expect(withLock(file, async () => 'yes')).resolves.toBe('yes');
  });

  it('is taken from an owner that was killed', async () => {
    const file = join(tempFolder(), 'lock');
    writeFileSync(file, '4194999'); // Above the highest process number.
    const holder = () => readFileSync(file, 'utf8');
    await expect(withLock(file, async () => holder())).resolves.toBe(
      String(process.pid)
    );
  });
});

describe('checkNode', () => {
  it('refuses what is too old, with the version', () => {
    expect(() => checkNode('18.20.1')).toThrow(
      'Node 20.20 or later is needed, this is 18.20.1.'
    );
    expect(() => checkNode('20.19.6')).toThrow(SetupError);
    expect(() => checkNode('20.20.0')).not.toThrow();
    expect(() => checkNode('24.1.0')).not.toThrow();
    expect(() => checkNode()).not.toThrow();
  });

  it('says at once where it cannot run', () => {
    expect(() => checkPlatform('win32')).toThrow(SetupError);
    expect(() => checkPlatform('darwin')).not.toThrow();
  });
});

describe('matchesLock', () => {
  const manifest = { dependencies: { a: '^1.0.0' } };
  const lock = {
    packages: {
      '': { dependencies: { a: '^1.0.0' } },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0', optional: true },
      'node_modules/c': { resolved: 'stubs/c', link: true },
      'stubs/c': { version: '0.0.0' }
    }
  };
  const installed = {
    packages: {
      'node_modules/a': { version: '1.0.0' },
      'node_modules/c': { resolved: 'stubs/c', link: true }
    }
  };

  it('is content with what the lock file asks for', () => {
    expect(matchesLock(lock, installed, manifest)).toBe(true);
  });

  it.each([
    ['nothing is installed', [lock, undefined, manifest]],
    [
      'a version differs',
      [
        lock,
        {
          packages: {
            ...installed.packages,
            'node_modules/a': { version: '1.0.1' }
          }
        },
        manifest
      ]
    ],
    ['a package is missing', [lock, { packages: {} }, manifest]],
    [
      'package.json asks for more',
      [lock, installed, { dependencies: { a: '^1.0.0', d: '1' } }]
    ]
  ])('is not when %s', (_, args) => {
    expect(matchesLock(...args)).toBe(false);
  });
});

describe('apt', () => {
  it('is used as root alone, and where it exists', () => {
    const path = tempFolder();
    expect(canInstall(path, 0)).toBe(false);
    const file = writeProgram(path, 'apt-get', 'exit');
    expect(which('apt-get', path)).toBe(file);
    expect(canInstall(path, 0)).toBe(true);
    expect(canInstall(path, 1000)).toBe(false);
    expect(aptLine(['chromium'])).toBe('apt-get install -y chromium');
  });
});

describe('explain', () => {
  it('gives what to do for what is missing, and the last lines of a command', () => {
    expect(explain(new SetupError('No Python.', 'Install it.'))).toBe(
      'No Python.\nInstall it.'
    );
    const error = new CommandError(
      'npm ci',
      'exit code 1',
      'one\ntwo\nthree\n'
    );
    expect(explain(error, 2)).toBe(
      '`npm ci` failed (exit code 1):\ntwo\nthree'
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [40, '0.0 s'],
    [12_340, '12.3 s'],
    [185_400, '3 min 05 s']
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('nats-server', () => {
  const env = process.env.NATS_SERVER;
  beforeEach(() => {
    delete process.env.NATS_SERVER;
  });
  afterEach(() => {
    if (env !== undefined) {
      process.env.NATS_SERVER = env;
    }
  });

  it('is found on the path, or where it was unpacked', async () => {
    const path = tempFolder();
    const cache = tempFolder();
    expect(await findNats(path, cache)).toBeUndefined();
    const unpacked = join(cache, 'nats', 'usr', 'sbin');
    mkdirSync(unpacked, { recursive: true });
    const say = 'echo "nats-server: v2.9.10"';
    const second = writeProgram(unpacked, 'nats-server', say);
    expect(await findNats(path, cache)).toEqual({
      file: second,
      version: '2.9.10'
    });
    const first = writeProgram(path, 'nats-server', say);
    expect((await findNats(path, cache)).file).toBe(first);
  });

  it('is asked for with the way to get it where nothing can install it', async () => {
    const error = await ensureNats(() => undefined, tempFolder(), tempFolder())
      .then(() => undefined)
      .catch(caught => caught);
    expect(error).toBeInstanceOf(SetupError);
    expect(error.hint).toContain('apt-get install -y nats-server');
  });
});
