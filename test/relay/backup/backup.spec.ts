/** A backup of a folder that changes, a restore, and copies that are not whole. */
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  backUp,
  LIST_FILE,
  restore
} from '../../../src/relay/backup/backup.js';
import { filesOf, PARTS } from '../../../src/relay/backup/contents.js';
import { dataPaths } from '../../../src/relay/files.js';

let home: string;
let data: string;
const place = (name: string): string => join(home, name);

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-backup-'));
  data = place('data');
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function fill(files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(data, name)), { recursive: true });
    await writeFile(join(data, name), content);
  }
}

const FILES = {
  'courses.json': '{}',
  'cursors/posthog.json': '{"seq": 3, "skip": 0}',
  'log/0000000000000001.seg': 'one',
  'log/0000000000000009.seg': 'nine',
  'dead-letters.jsonl': '{}\n',
  'relay.toml': 'port = 7345\n'
};

it('copies what a relay needs and leaves what belongs to the one that runs', async () => {
  await fill({
    ...FILES,
    'relay.json': '{"pid": 1}',
    'door-id': 'd0123456789abcdef\n',
    'log/log.lock': '{}',
    'log/log.lock.5d3c': '{}',
    'log/next.tmp': 'half',
    'courses.json.17.tmp': '{'
  });
  const told: number[] = [];
  const list = await backUp(data, place('copy'), ({ files }) =>
    told.push(files)
  );
  expect(list.files.map(({ path }) => path).sort()).toEqual(
    Object.keys(FILES).sort()
  );
  expect(told.length).toBe(Object.keys(FILES).length);
  await restore(place('copy'), place('new'));
  for (const [name, content] of Object.entries(FILES)) {
    const file = join(place('new'), name);
    expect(await readFile(file, 'utf8')).toBe(content);
    expect((await stat(file)).mode & 0o077).toBe(0);
  }
  expect((await stat(place('new'))).mode & 0o077).toBe(0);
  expect(await readdir(place('new'))).not.toContain(LIST_FILE);
});

it('copies the places of sinks before the log, and what the log names after it', async () => {
  await fill(FILES);
  const order = [];
  for (const part of PARTS) {
    order.push(await filesOf(dataPaths(data), part));
  }
  expect(order).toEqual([
    ['cursors/posthog.json'],
    [
      'dead-letters.jsonl',
      'log/0000000000000001.seg',
      'log/0000000000000009.seg'
    ],
    ['courses.json', 'relay.toml']
  ]);
});

it('has students forgotten again whose events the log may still hold', async () => {
  await fill({
    ...FILES,
    'forget.json': JSON.stringify({
      forgotten: { demo: { tag: 5 } },
      jobs: [{ id: 'f_1', state: 'done', nextAt: '2026-01-01T00:00:00Z' }]
    })
  });
  await backUp(data, place('copy'));
  await restore(place('copy'), place('new'));
  expect(
    JSON.parse(await readFile(join(place('new'), 'forget.json'), 'utf8'))
  ).toEqual({
    forgotten: { demo: { tag: 5 } },
    jobs: [{ id: 'f_1', state: 'local' }]
  });
});

it('refuses places that are not empty, or in the data folder itself', async () => {
  await fill(FILES);
  await expect(backUp(data, data)).rejects.toThrow(/lies in the data folder/);
  await expect(backUp(data, join(data, 'copy'))).rejects.toThrow(
    /lies in the data folder/
  );
  await backUp(data, place('copy'));
  await expect(backUp(data, place('copy'))).rejects.toThrow(/is not empty/);
  await expect(restore(place('copy'), data)).rejects.toThrow(/is not empty/);
  await expect(backUp(place('nowhere'), place('x'))).rejects.toThrow(
    /cannot be read \(ENOENT\).*--data/
  );
});

it('restores no copy that is not whole', async () => {
  await fill(FILES);
  const copy = place('copy');
  await backUp(data, copy);
  await writeFile(join(copy, 'log/0000000000000001.seg'), 'onE');
  await expect(restore(copy, place('a'))).rejects.toThrow(
    /log\/0000000000000001\.seg is missing or not as backed up/
  );
  await rm(join(copy, 'courses.json'));
  await expect(restore(copy, place('b'))).rejects.toThrow(/courses\.json.*are/);
  const list = JSON.parse(await readFile(join(copy, LIST_FILE), 'utf8')) as {
    files: { path: string }[];
  };
  list.files[0]!.path = '../outside';
  await writeFile(join(copy, LIST_FILE), JSON.stringify(list));
  await expect(restore(copy, place('c'))).rejects.toThrow(
    /no file of a backup/
  );
  await rm(join(copy, LIST_FILE));
  await expect(restore(copy, place('d'))).rejects.toThrow(/no whole backup/);
});
