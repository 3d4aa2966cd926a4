/**
 * A wrong import between rooms does not compile: the real project files, over sources of one line.
 */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import { call, mustCall, ROOT, useFolder } from './support.mjs';

/** Which rooms a room may import from. */
const ARROWS = {
  events: [],
  api: ['events'],
  insights: ['events', 'api'],
  notebooks: ['events'],
  sinks: ['events', 'api', 'insights'],
  relay: ['events', 'api', 'insights', 'sinks'],
  cli: ['events', 'api', 'insights', 'notebooks', 'sinks', 'relay'],
  lab: ['events'],
  dashboard: ['events', 'api']
};
const ROOMS = Object.keys(ARROWS);
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

const folder = useFolder();

/** Imports one line a room, numbered as the rooms are. */
const imports = rooms =>
  rooms
    .map(room => `import { name as ${room} } from '../${room}/index.js';\n`)
    .join('') + `export const all = [${rooms.join(', ')}];\n`;

beforeAll(async () => {
  const root = folder();
  for (const file of ['tsconfig.json', 'tsconfig.base.json', 'package.json']) {
    copyFileSync(join(ROOT, file), join(root, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const room of ROOMS) {
    mkdirSync(join(root, 'src', room), { recursive: true });
    copyFileSync(
      join(ROOT, 'src', room, 'tsconfig.json'),
      join(root, 'src', room, 'tsconfig.json')
    );
    writeFileSync(
      join(root, 'src', room, 'index.ts'),
      `export const name: string = '${room}';\n`
    );
    writeFileSync(join(root, 'src', room, 'allowed.ts'), imports(ARROWS[room]));
  }
  const paths = ROOMS.map(room => `src/${room}`);
  // Fails when an allowed import does not compile.
  await mustCall(process.execPath, [TSC, '-b', ...paths], { cwd: root });
}, 120_000);

it('knows every room', () => {
  const rooms = readdirSync(join(ROOT, 'src')).sort();
  expect([...ROOMS].sort()).toEqual(rooms);
  const all = readFileSync(join(ROOT, 'tsconfig.json'), 'utf8');
  for (const room of ROOMS) {
    expect(all).toContain(`"src/${room}"`);
  }
});

describe.each(ROOMS)('src/%s', room => {
  const forbidden = ROOMS.filter(
    other => other !== room && !ARROWS[room].includes(other)
  );

  it('compiles what it may import', async () => {
    const { code, stdout } = await call(
      process.execPath,
      [TSC, '-p', `src/${room}`, '--noEmit'],
      { cwd: folder() }
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  }, 60_000);

  const some = forbidden.length > 0 ? it : () => undefined;
  some(
    'does not compile what it may not',
    async () => {
      const file = join(folder(), 'src', room, 'forbidden.ts');
      writeFileSync(file, imports(forbidden));
      try {
        const { code, stdout } = await call(
          process.execPath,
          [TSC, '-p', `src/${room}`, '--noEmit', '--pretty', 'false'],
          { cwd: folder() }
        );
        expect(code).not.toBe(0);
        const lines = [
          ...stdout.matchAll(/forbidden\.ts\((\d+),\d+\): error/g)
        ];
        const refused = new Set(lines.map(([, line]) => forbidden[line - 1]));
        expect([...refused].sort()).toEqual([...forbidden].sort());
      } finally {
        rmSync(file);
      }
    },
    60_000
  );
});
