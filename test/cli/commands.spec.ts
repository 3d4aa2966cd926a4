/** The commands: what they do, what they say when they cannot, and that the documentation is theirs. */
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile
} from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpOf } from '../../src/cli/command.js';
import { COMMANDS, run } from '../../src/cli/run.js';
import { dataPaths } from '../../src/relay/files.js';
import { readAudit } from '../../src/relay/privacy/audit.js';

/** A notebook that has its setup cell. */
const SAMPLE = new URL('../../examples/sample.ipynb', import.meta.url);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  out: string;
  err: string;
}

async function cli(...argv: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    argv,
    { IPYNB_TELEMETRY_DATA: folder },
    { out: line => out.push(line), err: line => err.push(line) }
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

async function ok(...argv: string[]): Promise<string> {
  const outcome = await cli(...argv);
  expect(outcome).toEqual({ code: 0, out: outcome.out, err: '' });
  return outcome.out;
}

const DEFAULTS = [
  'start',
  'end',
  'cell',
  'test',
  'notebook',
  'kernel',
  'focus'
];
const KEY = /nbt_[0-9A-Za-z]{32}/;

describe('courses and keys', () => {
  it('course add prints the key once, and no other command does', async () => {
    const said = await ok('course', 'add', 'demo', '--title', '2026');
    const [key] = KEY.exec(said)!;
    for (const argv of [
      ['course', 'list'],
      ['course', 'list', '--json'],
      ['key', 'list'],
      ['key', 'list', '--json']
    ]) {
      expect(await ok(...argv)).not.toContain(key.slice(4));
    }
    const [course] = JSON.parse(
      await ok('course', 'list', '--json')
    ) as object[];
    // A title of digits stays text.
    expect(course).toEqual({
      course: 'demo',
      title: '2026',
      version: 1,
      level: 'outcomes',
      consent: 'notice',
      identity: 'names',
      events: DEFAULTS,
      notice: {
        version: 1,
        receiver: '2026',
        retention_days: 365,
        contact: null,
        text: null
      },
      students: 'claimed',
      ack: 'validated',
      hub: { instructors: [], assistants: [] },
      properties: 'default',
      simulated: false,
      places: false,
      origins: 'any',
      posthog: 'relay'
    });
  });

  it('--key-file takes the key, for its owner alone, and never replaces a file', async () => {
    const file = join(folder, 'demo.key');
    const add = [
      'course',
      'add',
      'demo',
      '--title',
      'Demo',
      '--key-file',
      file
    ];
    expect(await ok(...add)).not.toMatch(KEY);
    expect(await readFile(file, 'utf8')).toMatch(/^nbt_[0-9A-Za-z]{32}\n$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const key = await readFile(file, 'utf8');
    const again = await cli('key', 'add', 'demo', '--key-file', file);
    expect(again).toMatchObject({
      code: 1,
      err: expect.stringContaining('expected a new file') as string
    });
    expect(await readFile(file, 'utf8')).toBe(key);
    expect(JSON.parse(await ok('key', 'list', '--json'))).toHaveLength(1);
  });

  it('a key file is not left behind where no key was made', async () => {
    await ok('course', 'add', 'demo', '--title', 'Demo');
    const file = join(folder, 'again.key');
    const again = await cli(
      ...['course', 'add', 'demo', '--title', 'x', '--key-file', file]
    );
    expect(again.code).toBe(1);
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  it('settings are set, one by one and all of them', async () => {
    await ok('course', 'add', 'demo', '--title', 'Demo', '--level', 'code');
    const set = async (...argv: string[]): Promise<unknown> =>
      JSON.parse(await ok('course', 'set', 'demo', '--json', ...argv));
    expect(
      await set(
        ...['--title', 'Other', '--consent', 'opt-in', '--receiver', 'Ada'],
        ...['--retention-days', '90', '--contact', 'ada@example.org'],
        ...['--notice-text', 'Ask us anything.', '--events', 'cell, start'],
        ...['--simulated', 'yes', '--posthog', 'off'],
        ...['--students', 'verified', '--properties', 'hint, answer'],
        ...['--hub-instructors', 'staff, deans'],
        ...['--hub-assistants', 'tutors,x:y:monday'],
        ...['--origins', 'https://Hub.example.org/, https://lite.example']
      )
    ).toEqual({
      course: 'demo',
      title: 'Other',
      version: 2,
      level: 'code',
      consent: 'opt-in',
      identity: 'names',
      events: ['start', 'cell'],
      notice: {
        version: 2,
        receiver: 'Ada',
        retention_days: 90,
        contact: 'ada@example.org',
        text: 'Ask us anything.'
      },
      students: 'verified',
      ack: 'validated',
      hub: {
        instructors: ['staff', 'deans'],
        assistants: [{ group: 'tutors' }, { group: 'x:y', section: 'monday' }]
      },
      properties: ['answer', 'hint'],
      simulated: true,
      places: false,
      origins: ['https://hub.example.org', 'https://lite.example'],
      posthog: 'off'
    });
    expect(
      await set(
        '--retention-days',
        'none',
        '--contact',
        'none',
        '--notice-text',
        'none',
        '--simulated',
        'no'
      )
    ).toMatchObject({
      notice: {
        version: 3,
        receiver: 'Ada',
        retention_days: null,
        contact: null,
        text: null
      },
      simulated: false,
      places: false,
      version: 3
    });
    const own = ['--posthog-host', 'https://eu.i.posthog.com/'];
    expect(await set(...own, '--posthog-key-env', 'DEMO_KEY')).toMatchObject({
      posthog: { host: 'https://eu.i.posthog.com', apiKeyEnv: 'DEMO_KEY' }
    });
    const secret = await ok(
      ...[
        'course',
        'set',
        'demo',
        ...own,
        '--posthog-key',
        'phc_test',
        '--json'
      ]
    );
    expect(secret).not.toContain('phc_test');
    expect(await set('--posthog', 'relay')).toMatchObject({ posthog: 'relay' });
  });

  it('events are listed, added and taken away', async () => {
    await ok('course', 'add', 'demo', '--title', 'x', '--events', 'all');
    const set = async (list: string): Promise<unknown> => {
      const said = await ok(
        'course',
        'set',
        'demo',
        `--events=${list}`,
        '--json'
      );
      return (JSON.parse(said) as { events: string[] }).events;
    };
    expect(await set('default')).toEqual(DEFAULTS);
    expect(await set('+edit,-focus')).toEqual([
      ...DEFAULTS.filter(name => name !== 'focus'),
      'edit'
    ]);
    expect(await set('-edit')).not.toContain('edit');
    expect(await set('all,-ai_suggestion,-ai_feature')).toEqual([
      ...DEFAULTS,
      'edit'
    ]);
    expect(await set(' test , cell')).toEqual(['cell', 'test']);
  });

  it('says which version of the notice students see', async () => {
    await ok('course', 'add', 'demo', '--title', 'x');
    expect(await ok('course', 'set', 'demo', '--title', 'y')).toContain(
      'version 2; students see version 1 of the notice'
    );
    expect(await ok('course', 'set', 'demo', '--level', 'code')).toContain(
      'version 3; students see version 2 of the notice'
    );
  });

  it('a key is revoked by its id', async () => {
    await ok('course', 'add', 'demo', '--title', 'Demo');
    const made = JSON.parse(
      await ok('key', 'add', 'demo', '--label', '007', '--json')
    ) as { keyId: string; key: string };
    expect(made.key).toMatch(KEY);
    await ok('key', 'revoke', made.keyId);
    const keys = JSON.parse(await ok('key', 'list', '--json')) as object[];
    expect(keys[1]).toMatchObject({
      keyId: made.keyId,
      label: '007',
      revoked: expect.any(String) as string
    });
    expect(await cli('key', 'revoke', made.keyId)).toMatchObject({
      code: 1,
      err: expect.stringContaining('was revoked already') as string
    });
    const noted = await readAudit(dataPaths(folder).audit);
    expect(noted).toMatchObject([
      {
        action: 'key_added',
        course: 'demo',
        details: { key: made.keyId, kind: 'write' }
      },
      { action: 'key_revoked', details: { key: made.keyId } }
    ]);
    expect(JSON.stringify(noted)).not.toContain(made.key);
  });

  it('link prints a link to where the relay is, or would be', async () => {
    await ok('course', 'add', 'demo', '--title', 'Demo');
    expect(await ok('link')).toMatch(
      /^http:\/\/127\.0\.0\.1:7345\/login\?token=[\w-]{32}$/
    );
    await writeFile(
      join(folder, 'relay.json'),
      JSON.stringify({ url: 'http://127.0.0.1:4444' })
    );
    expect(JSON.parse(await ok('link', '--json'))).toEqual({
      login: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:4444\/login\?token=/
      ) as string
    });
  });
});

describe('a data folder', () => {
  it.each([
    ['link'],
    ['course', 'set', 'demo', '--level', 'code'],
    ['course', 'list'],
    ['key', 'add', 'demo'],
    ['key', 'revoke', 'k_x'],
    ['key', 'list']
  ])('is not made by %s %s, which could do nothing there', async (...argv) => {
    const wrong = join(folder, 'wrong');
    const outcome = await cli(...argv, '--data', wrong);
    expect(outcome).toEqual({
      code: 1,
      out: '',
      err: `ipynb-telemetry: expected a relay's data folder, and ${wrong} is none. Name the right one with --data, or begin one with \`course add\`.`
    });
    await expect(stat(wrong)).rejects.toThrow('ENOENT');
    // Nor is a folder of something else taken for one.
    await mkdir(wrong);
    expect((await cli(...argv, '--data', wrong)).code).toBe(1);
    expect(await readdir(wrong)).toEqual([]);
  });

  it('says of a course that is not there which ones are', async () => {
    await ok('course', 'add', 'other', '--title', 'Other');
    expect((await cli('course', 'set', 'demo', '--level', 'code')).err).toBe(
      'ipynb-telemetry: there is no course "demo". There are: other.'
    );
  });
});

describe('what cannot be is said in a line, with what can', () => {
  it.each<[string, string[], number, string]>([
    ['no command', [], 2, ''],
    ['an unknown command', ['zebra'], 2, 'expected a command (relay, link,'],
    ['half a command', ['course'], 2, 'expected course add, course set'],
    [
      'an unknown option',
      ['link', '--zebra'],
      2,
      "ipynb-telemetry: Unknown option '--zebra'."
    ],
    [
      'an option without its value',
      ['link', '--data'],
      2,
      "'--data <value>' argument missing"
    ],
    [
      'too few arguments',
      ['course', 'add', '--title', 'x'],
      2,
      'expected COURSE, got none.'
    ],
    [
      'too many arguments',
      ['link', 'a', 'b'],
      2,
      'expected no argument, got "a" "b".'
    ],
    [
      'a course without a title',
      ['course', 'add', 'demo'],
      2,
      'expected --title'
    ],
    [
      'nothing to set',
      ['course', 'set', 'demo'],
      2,
      'expected at least one setting'
    ],
    [
      'a course that is not there',
      ['course', 'set', 'demo', '--level', 'code'],
      1,
      "expected a relay's data folder"
    ],
    [
      'an identity that is none',
      ['course', 'add', 'demo', '--title', 'x', '--identity', 'nicknames'],
      1,
      'identity: expected names, pseudonyms'
    ],
    [
      'an event that is none',
      ['course', 'add', 'demo', '--title', 'x', '--events', 'start,keys'],
      1,
      'expected names out of start, end, cell, test, notebook, kernel, focus, edit, ai_suggestion, ai_feature, or default, or all, with commas between them, got "keys" in "start,keys"'
    ],
    [
      'no event at all',
      ['course', 'add', 'demo', '--title', 'x', '--events', 'cell,-cell'],
      1,
      'expected at least one of start, end,'
    ],
    [
      'a list that looks like an option',
      ['course', 'set', 'demo', '--events', '-focus'],
      2,
      '--events=-XYZ'
    ],
    [
      'a notice without end',
      ['course', 'add', 'd', '--title', 'x', '--notice-text', 'x'.repeat(2001)],
      1,
      'notice.text: expected 1 to 2000 characters, got 2001'
    ],
    [
      'a simulation that may be',
      ['course', 'set', 'demo', '--simulated', 'maybe'],
      2,
      'expected yes or no, got "maybe"'
    ],
    [
      'a PostHog without its key',
      ['course', 'set', 'demo', '--posthog-host', 'https://x.example'],
      2,
      'expected --posthog-host with either'
    ],
    [
      'a personal key',
      [
        'course',
        'set',
        'demo',
        '--posthog-host',
        'https://x.example',
        '--posthog-key',
        'phx_me'
      ],
      2,
      'not a personal key'
    ],
    [
      "a variable of the relay's own",
      [
        'course',
        'set',
        'demo',
        '--posthog-host',
        'https://x.example',
        '--posthog-key-env',
        'IPYNB_TELEMETRY_X'
      ],
      2,
      'does not begin with IPYNB_TELEMETRY_'
    ],
    [
      'a wrong configuration',
      ['relay', '--port', 'many'],
      2,
      '--port: expected a whole number'
    ],
    ['a folder that is none', ['link', '--data', '/dev/null/x'], 1, 'is none']
  ])('%s', async (_what, argv, code, said) => {
    const outcome = await cli(...argv);
    expect(outcome).toMatchObject({
      code,
      err: expect.stringContaining(said) as string
    });
    expect(outcome.err).not.toMatch(/at .*\.[jt]s:\d+/);
    expect(outcome.err).not.toContain('phx_me');
  });
});

describe('the documentation', () => {
  const docs = ['relay', 'notebooks']
    .map(name =>
      readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8')
    )
    .join('\n');
  const documented = new Map(
    [
      ...docs.matchAll(
        /^### `ipynb-telemetry ([a-z -]+)`\n\n```text\n([\s\S]*?)\n```$/gm
      )
    ].map(([, name, help]) => [name!, help!])
  );

  it('has each command, and no other', () => {
    expect([...documented.keys()]).toEqual(COMMANDS.map(({ name }) => name));
  });

  it.each(COMMANDS.map(command => [command.name, command] as const))(
    'of %s is its help',
    async (name, command) => {
      expect(documented.get(name)).toBe(helpOf(command));
      expect(await ok(...name.split(' '), '--help')).toBe(helpOf(command));
    }
  );

  it.each(
    COMMANDS.flatMap(({ name, examples }) =>
      examples.map(example => [example, name] as const)
    )
  )('shows an example that can be called: %s', async (example, name) => {
    expect(example.startsWith(name)).toBe(true);
    const argv = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, bare]) => quoted ?? bare!
    );
    if (name === 'relay') {
      // Its options are known; it would run for ever.
      const options = COMMANDS.find(command => command.name === name)!.options;
      argv
        .filter(word => word.startsWith('--'))
        .forEach(word => expect(options).toHaveProperty(word.slice(2)));
      return;
    }
    const outside = argv.map(word =>
      /\.(key|ipynb|jsonl|txt)$|^lessons$|^\//.test(word)
        ? join(folder, word.replaceAll('/', '-'))
        : word
    );
    if (name.startsWith('notebooks ')) {
      const [first] = outside.filter(word => word.startsWith(folder));
      const folders = first!.endsWith('lessons');
      if (folders) {
        await mkdir(first!);
      }
      for (const word of folders ? [join(first!, 'a.ipynb')] : outside) {
        if (word.endsWith('.ipynb')) {
          await copyFile(SAMPLE, word);
          if (name === 'notebooks insert') {
            await ok('notebooks', 'remove', word);
          }
        }
      }
    }
    if (name !== 'course add') {
      const at = outside.indexOf('--data');
      await cli(
        ...['course', 'add', 'python-101', '--title', 'x'],
        ...(at < 0 ? [] : outside.slice(at, at + 2))
      );
    }
    for (const word of outside.filter(each => each.endsWith('.txt'))) {
      await writeFile(word, 'ADA-LOVELACE\n');
    }
    if (name === 'backup' && !outside.includes('--data')) {
      // A copy does not go into the folder that is copied.
      outside.push('--data', join(folder, 'srv'));
      await ok('course', 'add', 'x', '--title', 'x', ...outside.slice(-2));
    }
    if (name === 'restore') {
      const [copy] = outside.filter(word => word.startsWith(folder));
      await ok('course', 'add', 'x', '--title', 'x', '--data', `${folder}/srv`);
      await ok('backup', copy!, '--data', `${folder}/srv`);
      await rm(outside.at(-1)!, { recursive: true, force: true });
    }
    const { code, err } = await cli(...outside);
    if (/^(dead-letters (show|replay)|replay)$/.test(name)) {
      // There is nothing to act on, which is no fault of the call.
      expect(code).not.toBe(2);
      return;
    }
    expect(code === 0 || /id of a key/.test(err)).toBe(true);
  });

  it('of the settings of a course names each, and no other', () => {
    const configuration = readFileSync(
      new URL('../../docs/configuration.md', import.meta.url),
      'utf8'
    );
    const [, section] = /^## Settings of a course\n([\s\S]*)/m.exec(
      configuration
    )!;
    const named = [...section!.matchAll(/^\| (`.*?)\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name)
    );
    const { options } = COMMANDS.find(({ name }) => name === 'course set')!;
    const settings = Object.keys(options).filter(
      name => !['data', 'config', 'json'].includes(name)
    );
    expect(named.sort()).toEqual(settings.sort());
  });

  it('is summed up by the help of the program', async () => {
    const help = await ok('--help');
    for (const { name, summary } of COMMANDS) {
      expect(help).toContain(name);
      expect(help).toContain(summary);
    }
    expect(await ok('--version')).toMatch(/^\d+\.\d+\.\d+/);
  });
});
