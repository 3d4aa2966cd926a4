/** The doctor: what it finds, what it says to do, and that it changes nothing and sends no event. */
import { once } from 'node:events';
import { chmod, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/run.js';
import { addCourse, setCourse } from '../../src/relay/courses/editCourses.js';
import { judgeCourses } from '../../src/relay/doctor/courses.js';
import { judgeCertificate } from '../../src/relay/doctor/certificate.js';
import { judgeClock } from '../../src/relay/doctor/clock.js';
import { visit } from '../../src/relay/doctor/destinations.js';
import { checkLog } from '../../src/relay/doctor/eventLog.js';
import { linesOf, type Finding } from '../../src/relay/doctor/findings.js';
import { judgeFolder } from '../../src/relay/doctor/folder.js';
import { judgeNode } from '../../src/relay/doctor/relay.js';
import { dataPaths } from '../../src/relay/files.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { createMemorySink } from '../../src/sinks/index.js';
import { cellEvent, startTestRelay } from '../relay/support/testRelay.js';
import { waitFor } from '../support/waitFor.js';

const KEY = 'phc_test_doctor';

let data: string;
let posthog: Server;
let host: string;
let status: number | 'hang';
let asked: { path: string; body: string }[];

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-doctor-'));
  status = 200;
  asked = [];
  // Flags are answered as PostHog does: 401 for a key of no project.
  posthog = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => (body += String(chunk)));
    request.on('end', () => {
      asked.push({ path: request.url!, body });
      if (status !== 'hang') {
        response.writeHead(status).end('{}');
      }
    });
  });
  posthog.listen(0, '127.0.0.1');
  await once(posthog, 'listening');
  host = `http://127.0.0.1:${(posthog.address() as AddressInfo).port}`;
});
afterEach(async () => {
  posthog.closeAllConnections();
  posthog.close();
  await rm(data, { recursive: true, force: true });
});

interface Examined {
  code: number;
  findings: Finding[];
  text: string;
}

/** Runs the command as a person and as a program, which see the same. */
async function doctor(
  env: Record<string, string> = {},
  ...args: string[]
): Promise<Examined> {
  const command = async (...more: string[]): Promise<[number, string]> => {
    const lines: string[] = [];
    const code = await run(
      ['doctor', '--data', data, ...args, ...more],
      { IPYNB_TELEMETRY_PORT: '0', ...env },
      { out: line => lines.push(line), err: line => lines.push(line) }
    );
    return [code, lines.join('\n')];
  };
  const [code, text] = await command();
  const [again, json] = await command('--json');
  expect(again).toBe(code);
  const { findings } = JSON.parse(json) as { findings: Finding[] };
  for (const { found, todo, level } of findings) {
    expect([found !== '', (todo ?? '') !== '']).toEqual([true, level !== 'ok']);
    expect(text).toContain(level);
  }
  for (const shown of [text, json]) {
    expect(shown).not.toContain(KEY);
    expect(shown).not.toContain('\u001b');
  }
  return { code, findings, text };
}

const course = async (): Promise<void> => {
  await addCourse(dataPaths(data).courses, 'demo', { title: 'Demo' });
};
const withPostHog = (): Record<string, string> => ({
  IPYNB_TELEMETRY_POSTHOG_HOST: host,
  IPYNB_TELEMETRY_POSTHOG_KEY: KEY
});
const of = (findings: Finding[], name: string): string[] =>
  findings
    .filter(finding => finding.about === name)
    .map(({ level, found }) => `${level}: ${found}`);

it('finds a relay that can be started, and only asks PostHog for flags', async () => {
  await course();
  const { code, findings } = await doctor(withPostHog());
  expect(code).toBe(0);
  expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
  expect(of(findings, 'data folder')).toEqual([
    `ok: ${data} is there, writable, and closed to others`
  ]);
  expect(of(findings, 'posthog')).toEqual([
    `ok: ${host} answers and takes the key`
  ]);
  expect(of(findings, 'courses')).toEqual([
    'ok: 1, each with a key to write with'
  ]);
  expect(of(findings, 'event log')).toEqual(['ok: there are no events yet']);
  expect(of(findings, 'disk').join()).toMatch(/GB free.*flush takes [\d.]+ ms/);
  expect(asked.map(({ path }) => path)).toEqual(['/flags/?v=2', '/flags/?v=2']);
  expect(JSON.parse(asked[0]!.body)).toMatchObject({
    token: KEY,
    disable_flags: true
  });
  expect((await readdir(data)).sort()).toEqual(['courses.json']);
});

it('tells a refused key, and ends with 1', async () => {
  await course();
  status = 401;
  const { code, findings, text } = await doctor(withPostHog());
  expect(code).toBe(1);
  expect(of(findings, 'posthog')).toEqual([
    `problem: ${host} does not know the key (401)`
  ]);
  expect(text).toContain("Copy the project API key from PostHog's");
  expect(text).toMatch(/1 problem, \d+ warning/);
});

it.each([
  [503, 'warn', /answers 503/],
  [404, 'warn', /which PostHog does not/],
  ['hang', 'warn', /cannot be reached \(no answer within 0.2 s\)/]
] as const)(
  'judges a destination that answers %s',
  async (how, level, found) => {
    status = how;
    const { finding } = await visit(
      { name: 'posthog', host, apiKey: KEY, problem: null },
      how === 'hang' ? 200 : undefined
    );
    expect(finding).toMatchObject({ level, about: 'posthog' });
    expect(finding.found).toMatch(found);
  }
);

it('works where nothing can be reached', async () => {
  await course();
  posthog.close();
  const { code, findings } = await doctor(withPostHog());
  expect(of(findings, 'posthog')).toEqual([
    `warn: ${host} cannot be reached (ECONNREFUSED)`
  ]);
  expect(code).toBe(0);
  const offline = await doctor(withPostHog(), '--offline');
  expect(of(offline.findings, 'posthog')).toEqual([]);
});

it('tells a variable that a course names and nobody set', async () => {
  await course();
  await setCourse(dataPaths(data).courses, 'demo', {
    posthog: { host, apiKeyEnv: 'DEMO_POSTHOG' }
  });
  const { code, findings } = await doctor();
  expect(code).toBe(1);
  expect(of(findings, 'posthog-demo').join()).toMatch(
    /problem: .*variable DEMO_POSTHOG, which is not set/
  );
  const set = await doctor({ DEMO_POSTHOG: KEY });
  expect(of(set.findings, 'posthog-demo')).toEqual([
    `ok: ${host} answers and takes the key`
  ]);
});

it('tells every mistake of the configuration', async () => {
  await writeFile(join(data, 'relay.toml'), 'prot = 1\nhost = 7\n');
  const { code, findings } = await doctor({
    IPYNB_TELEMETRY_LOG_LEVEL: 'loud'
  });
  expect(code).toBe(1);
  const told = of(findings, 'configuration');
  expect(told).toHaveLength(3);
  expect(told.join('\n')).toMatch(/no such option.*Did you mean port/);
  expect(told.join('\n')).toMatch(/got 7/);
  expect(told.join('\n')).toMatch(/LOG_LEVEL.*expected debug/);
});

it('tells a data folder that others can read, and one that is not there', async () => {
  await chmod(data, 0o755);
  expect(of((await doctor()).findings, 'data folder')).toEqual([
    `warn: ${data} is open to other users (mode 755)`
  ]);
  await rm(data, { recursive: true });
  const { code, findings } = await doctor();
  expect(of(findings, 'data folder')).toEqual([`warn: ${data} is not there`]);
  expect(code).toBe(0);
});

it('tells courses that cannot be read, and those that nobody can write to', async () => {
  expect(of((await doctor()).findings, 'courses').join()).toMatch(
    /warn: there is none/
  );
  await writeFile(dataPaths(data).courses, '{"courses": 1}');
  const { code, findings } = await doctor();
  expect(code).toBe(1);
  expect(of(findings, 'courses').join()).toMatch(/problem: .*courses\.json/);
  const key = {
    id: 'k_1',
    kind: 'write',
    sha256: '',
    course: 'a',
    created: ''
  };
  const judged = judgeCourses(
    {
      courses: ['a', 'b', 'c', 'd'].map(id => ({ id })) as never,
      keys: [
        key,
        { ...key, course: 'b', revoked: '2026-01-01T00:00:00Z' },
        { ...key, course: 'c', kind: 'instructor' },
        { ...key, course: 'd', expires: '2026-01-01T00:00:00Z' }
      ] as never
    },
    Date.parse('2026-01-02')
  );
  expect(judged[0]!.found).toBe('no valid key to write with: b, c, d');
});

it('tells a port that another program has', async () => {
  const { code, findings } = await doctor({
    IPYNB_TELEMETRY_PORT: String((posthog.address() as AddressInfo).port)
  });
  expect(code).toBe(1);
  expect(of(findings, 'port').join()).toMatch(
    /problem: no relay runs.*is taken/
  );
});

describe('the event log', () => {
  async function fill(): Promise<string> {
    const dir = dataPaths(data).log;
    const log = await openSegmentLog({ dir });
    for (let n = 0; n < 5; n += 1) {
      await log.append(
        {
          v: 1,
          at: new Date().toISOString(),
          course: 'demo',
          key: 'k',
          skew: 0,
          n: 1
        },
        Buffer.from(`[${n}]`)
      );
    }
    await log.close();
    const [name] = (await readdir(dir)).filter(each => each.endsWith('.seg'));
    return join(dir, name!);
  }
  const told = async (now = Date.now()): Promise<string[]> =>
    (await checkLog(dataPaths(data).log, now)).map(
      ({ level, found }) => `${level}: ${found}`
    );

  it('is sound', async () => {
    await fill();
    expect(await told()).toEqual([
      'ok: all 5 records are sound, up to number 5'
    ]);
  });

  it('is damaged inside', async () => {
    const file = await open(await fill(), 'r+');
    await file.write(Buffer.from('!!!!'), 0, 4, 64 + 40);
    await file.close();
    expect(await told()).toEqual(['problem: 1 damaged place; readers skip it']);
  });

  it('is only torn at its end, as after a crash', async () => {
    const path = await fill();
    const file = await open(path, 'r+');
    await file.truncate((await file.stat()).size - 3);
    await file.close();
    expect(await told()).toEqual([
      'ok: all 4 records are sound, up to number 4'
    ]);
  });

  it('is from the future', async () => {
    await fill();
    expect((await told(Date.now() - 3_600_000))[1]).toMatch(
      /^warn: the latest record is from .* still to come$/
    );
  });
});

it('asks the running relay, and tells which of its sinks do not get on', async () => {
  const relay = await startTestRelay({
    flags: { 'posthog-key': KEY, 'posthog-host': host },
    parts: {
      createPostHogSink: ({ name }) =>
        createMemorySink({
          name,
          judge: () => ({ kind: 'retry', reason: 'it is down' })
        })
    }
  });
  try {
    await rm(data, { recursive: true });
    data = relay.folder;
    await relay.post({ api_key: relay.key, batch: [cellEvent(1)] });
    await waitFor('the sink tries again', () =>
      relay.relay.readiness().sinks.some(({ state }) => state === 'retrying')
    );
    const { code, findings } = await doctor();
    expect(code).toBe(0);
    expect(of(findings, 'relay').join()).toMatch(/ok: version .* takes events/);
    expect(of(findings, 'event log').join()).toMatch(
      /ok: 1 requests accepted so far/
    );
    expect(of(findings, 'posthog')).toEqual([
      'warn: is 1 request behind and tries again: it is down'
    ]);
    expect(of(findings, 'port')).toEqual([]);
  } finally {
    await relay.remove();
  }
});

describe('judges', () => {
  const folder = {
    path: '/srv/x',
    uid: 7,
    mode: 0o40700,
    fileSystem: 0xef53,
    freeBytes: 10e9,
    flushMs: 0.2
  };
  it.each([
    [{}, []],
    [
      { uid: 8 },
      ['warn: /srv/x belongs to user 8, and this command runs as user 7']
    ],
    [{ fileSystem: 0x6969 }, ['warn: the data folder is on NFS']],
    [{ fileSystem: 0x01021994 }, ['warn: the data folder is on tmpfs']],
    [
      { freeBytes: 0.5e9 },
      ['problem: 500 MB free; the relay takes no events below 1.0 GB']
    ],
    [
      { freeBytes: 3e9 },
      ['warn: 3.0 GB free; the relay takes no events below 1.0 GB']
    ],
    [
      { flushMs: 45 },
      ['warn: a flush takes 45.0 ms, and every acknowledgement waits for one']
    ]
  ])('a folder with %j', (facts, expected) => {
    expect(
      judgeFolder({ ...folder, ...facts }, 1e9, 7)
        .filter(({ level }) => level !== 'ok')
        .map(({ level, found }) => `${level}: ${found}`)
    ).toEqual(expected);
  });

  const clock = {
    now: Date.parse('2026-06-01T12:00:00Z'),
    synchronised: true,
    ahead: [{ of: 'https://a.example', ms: 900 }],
    jumpedMs: 3
  };
  it.each([
    [{}, 'ok: 2026-06-01T12:00:00.000Z, as https://a.example has it'],
    [{ ahead: [] }, 'ok: 2026-06-01T12:00:00.000Z, synchronised'],
    [
      { ahead: [], synchronised: null },
      'ok: 2026-06-01T12:00:00.000Z; there was nobody to compare it with'
    ],
    [{ now: 0 }, 'problem: it shows 1970-01-01T00:00:00.000Z'],
    [
      { ahead: [{ of: 'b', ms: -60_000 }] },
      'warn: it is 60 s behind that of b'
    ],
    [{ synchronised: false }, 'warn: the system does not synchronise it'],
    [{ jumpedMs: -3_600_000 }, 'warn: it was set by -3600.0 s meanwhile']
  ])('a clock with %j', (facts, expected) => {
    expect(
      judgeClock({ ...clock, ...facts }).map(
        ({ level, found }) => `${level}: ${found}`
      )
    ).toEqual([expected]);
  });

  it('certificates by their last day, and Node by its version', () => {
    const now = Date.parse('2026-06-01');
    const level = (days: number): string =>
      judgeCertificate(new Date(now + days * 86_400_000).toUTCString(), now)
        .level;
    expect([level(-1), level(20), level(22)]).toEqual([
      'problem',
      'warn',
      'ok'
    ]);
    expect(
      ['18.19.0', '20.19.9', '20.20.0', '24.1.0'].map(
        version => judgeNode(version).level
      )
    ).toEqual(['problem', 'problem', 'ok', 'ok']);
  });
});

it('is in colours for people at a terminal', () => {
  const findings: Finding[] = [{ level: 'ok', about: 'x', found: 'y' }];
  expect(linesOf(findings, true)[0]).toBe('\u001b[32mok     \u001b[0m  x  y');
  expect(linesOf(findings, false)).toEqual([
    'ok       x  y',
    '',
    'Everything is as it should be.'
  ]);
});
