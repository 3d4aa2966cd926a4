/** Test cells without the kernel package: which tests a cell holds, and what its run says of them. */
import { readCell } from '../../src/lab/facts.js';
import { judge, testsOf } from '../../src/lab/marks.js';
import { testResultId } from '../../src/events/ids.js';
import * as m from './messages.js';
import { RecordedPage } from './recordedPage.js';

const tests = (code: string, metadata: object = {}, decorators = true) =>
  testsOf(readCell('c1', code, metadata), 'named', decorators).map(
    ({ name }) => name
  );

const CHECK = '@tracked_test("mean")\ndef check():\n    assert 1\n\ncheck()';

describe('the tests of a cell', () => {
  it.each<[string, string, object, string[]]>([
    ['by a tag', 'x', { tags: ['hide', 'test:mean', 'test: '] }, ['mean']],
    ['by two tags', 'x', { tags: ['test:a', 'test:b', 'test:a'] }, ['a', 'b']],
    ['by metadata', 'x', { ipynb_telemetry: { test: 'mean' } }, ['mean']],
    ['by a bare mark', 'x', { ipynb_telemetry: { test: true } }, ['named']],
    [
      'not by a mark that is off',
      'x',
      { ipynb_telemetry: { test: false } },
      []
    ],
    ['by a decorator', CHECK, {}, ['mean']],
    ['by marks rather than decorators', CHECK, { tags: ['test:q'] }, ['q']],
    [
      'by a decorator among others, with other quotes, for an async test',
      "@slow\n@tracked_test( name='mean' )\n@other\nasync def check():\n  ...\nawait check()",
      {},
      ['mean']
    ],
    [
      'not by a function that is only defined',
      '@tracked_test("mean")\ndef check():\n    assert 1',
      {},
      []
    ],
    ['not in a comment', `# ${CHECK.replaceAll('\n', '\n# ')}`, {}, []],
    [
      'not by a name that is computed',
      CHECK.replace('"mean"', 'f"{x}"'),
      {},
      []
    ],
    ['not by text', 'print("@tracked_test(\'x\') def f f()")', {}, []]
  ])('are found %s', (_why, code, metadata, expected) => {
    expect(tests(code, metadata)).toEqual(expected);
  });

  it('are not looked for in the source where the kernel package speaks', () => {
    expect(tests(CHECK, {}, false)).toEqual([]);
    expect(tests(CHECK, { tags: ['test:q'] }, false)).toEqual(['q']);
  });
});

describe('what a run says', () => {
  const one = [{ name: 'mean', called: null }];
  it.each([
    ['ok', null, 'passed'],
    ['error', 'AssertionError: no', 'failed'],
    ['error', 'TimeoutError', 'timeout'],
    ['error', 'SkipTest: later', 'skipped'],
    ['error', 'NameError: x', 'error'],
    ['interrupted', 'KeyboardInterrupt', 'interrupted']
  ] as const)('%s with %s: %s', (status, err, expected) => {
    expect(judge(one, { status, err, ms: 1 }, [])).toEqual([
      { name: 'mean', status: expected }
    ]);
  });

  it.each(['aborted', 'lost'] as const)('%s: nothing', status => {
    expect(judge(one, { status, err: null, ms: null }, [])).toEqual([]);
  });

  it('of several tests names those that it can', () => {
    const two = [
      { name: 'a', called: 'check_a' },
      { name: 'b', called: 'check_b' }
    ];
    const failed = { status: 'error', err: 'AssertionError', ms: 1 } as const;
    expect(judge(two, { status: 'ok', err: null, ms: 1 }, [])).toHaveLength(2);
    expect(
      judge(two, failed, [
        '\u001b[31m---------\u001b[39m',
        'Cell \u001b[92mIn[3]\u001b[39m, line 5, in \u001b[36mcheck_b\u001b[39m()'
      ])
    ).toEqual([{ name: 'b', status: 'failed' }]);
    expect(judge(two, failed, ['line 5, in <module>'])).toEqual([]);
  });
});

describe('a marked cell', () => {
  const tagged = { cellId: 'c1', tags: ['test:mean'] };
  const page = () => new RecordedPage({ hasSetup: false, student: 'ADA-L' });

  it('gives one result a run, and counts the attempts', () => {
    const p = page();
    p.fail('a', 1, ['AssertionError', 'no'], 'x', tagged);
    p.fail('b', 2, ['KeyboardInterrupt', ''], 'x', tagged);
    p.request(m.request('c', 'x', tagged));
    p.receive(m.aborted('c'), m.idle('c'));
    p.run('d', 3, 'x', { ...tagged, ipynb_telemetry: { exercise: 'e' } });
    expect(p.of('test')).toEqual([
      {
        ex: 'mean',
        ok: false,
        status: 'failed',
        try: 1,
        ms: 1500,
        err: 'AssertionError: no',
        cell_id: 'c1'
      },
      expect.objectContaining({ ok: false, status: 'interrupted', try: 1 }),
      expect.objectContaining({
        ok: true,
        status: 'passed',
        try: 2,
        err: null,
        cell_id: 'e'
      })
    ]);
    expect(p.made.find(({ name }) => name === 'test')!.uuid).toBe(
      testResultId('a', 'mean', 1)
    );
    expect(p.of('cell')).toHaveLength(4);
  });

  it('begins to count anew in another session', () => {
    const p = page();
    p.run('a', 1, 'x', tagged);
    p.gone('restarted');
    p.run('b', 1, 'x', tagged);
    expect(p.of('test').map(result => result['try'])).toEqual([1, 1]);
  });

  it('by its decorator gives a result only until the kernel package speaks', () => {
    const p = page();
    p.run('a', 1, CHECK);
    expect(p.of('test')).toMatchObject([{ ex: 'mean', ok: true }]);
    p.setup();
    p.run('b', 2, CHECK);
    expect(p.of('test')).toEqual([]);
  });

  it('does not double what the kernel package tells', () => {
    const p = new RecordedPage();
    p.setup();
    const result = { kind: 'test', ex: 'other', ok: true, try: 1, ordinal: 1 };
    p.request(m.request('a', 'x', tagged), m.request('b', 'x', tagged));
    p.receive(m.input('a', 2), m.comm('comm-1', 'a', result));
    p.receive(m.ok('a', 2), m.idle('a'));
    expect(p.of('test')).toMatchObject([{ ex: 'other' }]);
    // Told too late: the run has been judged by its outcome.
    p.receive(m.input('b', 3), m.ok('b', 3), m.idle('b'));
    p.receive(m.comm('comm-1', 'b', { ...result, ex: 'mean', ok: false }));
    expect(p.of('test')).toMatchObject([
      { ex: 'other' },
      { ex: 'mean', ok: true, status: 'passed' }
    ]);
  });

  it('goes on from the attempts that the kernel package counted', () => {
    const p = new RecordedPage();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(
      m.comm('comm-1', 'a', {
        kind: 'test',
        ex: 'mean',
        ok: false,
        status: 'timeout',
        try: 4,
        ordinal: 1
      })
    );
    p.receive(m.input('a', 2), m.ok('a', 2), m.idle('a'));
    p.run('b', 3, 'x', tagged);
    expect(p.of('test')).toMatchObject([
      { status: 'timeout', try: 4 },
      { status: 'passed', try: 5 }
    ]);
  });
});
