/** The sessions of one notebook: whose an event is, when one begins and ends, and what a reload keeps. */
import { sessionEndId } from '../../src/events/ids.js';
import { MAX_KEPT } from '../../src/lab/ownSession.js';
import { SessionMemory } from '../../src/lab/sessionMemory.js';
import { VERSION } from '../../src/lab/version.js';
import * as m from './messages.js';
import { RecordedPage, storage, type PageOptions } from './recordedPage.js';

/** A marked notebook without a setup cell, whose student is known. */
const alone = (options: Partial<PageOptions> = {}) =>
  new RecordedPage({ hasSetup: false, student: 'ADA-L', ...options });

const names = (p: RecordedPage) => p.made.map(event => event.name);

describe('a session of the page’s own', () => {
  it('begins with the first event where there is no setup cell', () => {
    const p = alone();
    p.run('a', 1);
    const { sess } = p.sessions.current!;
    expect(sess).toMatch(/^[2-9A-HJ-NP-Za-km-z]{8}$/);
    expect(p.made).toMatchObject([
      {
        name: 'start',
        context: {
          nb: 'intro',
          sess,
          student: 'ADA-L',
          v: VERSION,
          src: 'lab'
        },
        properties: { client: 'lab', kernel: 'ipykernel 7.4.0' }
      },
      { name: 'cell', context: { sess }, properties: { cell_num: 1 } }
    ]);
    p.run('b', 2);
    expect(p.of('cell')[1]).toMatchObject({ cell_num: 2 });
    expect(p.of('start')).toHaveLength(1);
  });

  it('waits for the student, and keeps the times', () => {
    const p = alone({ student: null });
    const at = new Date(p.now());
    p.run('a', 1);
    p.pass(60_000);
    p.run('b', 2);
    expect(p.made).toEqual([]);
    expect(p.sessions.current).toBeNull();
    p.options.student = 'ADA-L';
    p.sessions.settle();
    expect(names(p)).toEqual(['start', 'cell', 'cell']);
    expect(p.made.slice(0, 2).map(event => event.at)).toEqual([at, at]);
    expect(p.sessions.current).toMatchObject({ student: 'ADA-L' });
  });

  it('waits for the kernel, by which a reload finds it again', () => {
    const p = alone({ kernel: undefined });
    p.sessions.add({
      name: 'notebook',
      uuid: 'u',
      at: new Date(),
      properties: {}
    });
    expect(p.made).toEqual([]);
    p.sessions.kernelIs(null);
    expect(names(p)).toEqual(['start', 'notebook']);
  });

  it('does not begin in a notebook that is not marked', () => {
    const p = alone({ marked: false });
    p.run('a', 1);
    p.gone('died', 'died');
    p.recording.leave();
    expect(p.made).toEqual([]);
    expect(p.sessions.recorded).toBe(false);
  });

  it('waits, where there is a setup cell, for the end of the first run', () => {
    const p = alone({ hasSetup: true });
    p.sessions.add({
      name: 'notebook',
      uuid: 'u',
      at: new Date(),
      properties: {}
    });
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 1));
    expect(p.made).toEqual([]);
    p.receive(m.ok('a', 1), m.idle('a'));
    expect(names(p)).toEqual(['start', 'notebook', 'cell']);
  });

  it('becomes the kernel package’s if that speaks before', () => {
    const p = alone({ hasSetup: true });
    p.sessions.add({
      name: 'notebook',
      uuid: 'u',
      at: new Date(),
      properties: {}
    });
    p.request(m.request('r', 'setup'));
    p.receive(m.input('r', 1), m.hello('r'), m.ok('r', 1), m.idle('r'));
    expect(names(p)).toEqual(['notebook', 'cell']);
    expect(new Set(p.made.map(({ context }) => context.sess))).toEqual(
      new Set([m.HELLO.sess])
    );
    expect(p.of('cell')).toMatchObject([{ cell_num: 1 }]);
  });

  it('is over when the kernel package speaks later', () => {
    const p = alone({ hasSetup: true });
    p.run('a', 1);
    const own = p.sessions.current!.sess;
    p.request(m.request('r', 'setup'));
    p.receive(m.input('r', 2), m.hello('r'), m.ok('r', 2), m.idle('r'));
    expect(p.made.map(({ name, context }) => [name, context.sess])).toEqual([
      ['start', own],
      ['cell', own],
      ['end', own],
      ['cell', m.HELLO.sess]
    ]);
    expect(p.of('end')).toEqual([
      { reason: 'setup', made: 2, delivered: 0, dropped: 0 }
    ]);
    expect(p.made[2]!.uuid).toBe(sessionEndId(own, 'lab'));
  });

  it.each(['restarted', 'died', 'shutdown'] as const)(
    'ends with the kernel (%s); the next one begins another',
    reason => {
      const p = alone();
      p.run('a', 1);
      const first = p.sessions.current!.sess;
      p.gone(reason, reason === 'shutdown' ? null : reason);
      expect(p.sessions.current).toBeNull();
      p.run('b', 1);
      expect(p.sessions.current!.sess).not.toBe(first);
      expect(names(p).filter(name => name !== 'kernel')).toEqual([
        'start',
        'cell',
        'end',
        'start',
        'cell'
      ]);
      expect(p.of('end')).toMatchObject([{ reason }]);
      expect(p.of('cell')[1]).toMatchObject({ cell_num: 1 });
    }
  );

  it('that ended before the student was known is told whole later', () => {
    const p = alone({ student: null });
    p.run('a', 1);
    p.gone('restarted', 'restarted');
    p.run('b', 1);
    p.recording.leave();
    expect(p.made).toEqual([]);
    expect(p.sessions.unsettled).toBe(true);
    p.options.student = 'ADA-L';
    p.sessions.settle();
    expect(names(p)).toEqual([
      'start',
      'cell',
      'kernel',
      'end',
      'start',
      'cell',
      'end'
    ]);
    expect(p.of('end').map(({ reason }) => reason)).toEqual([
      'restarted',
      'closed'
    ]);
    expect(new Set(p.made.map(({ context }) => context.sess)).size).toBe(2);
    expect(p.sessions.unsettled).toBe(false);
  });

  it('takes the student whom the kernel package named before', () => {
    const p = new RecordedPage();
    p.setup();
    p.gone('restarted', 'restarted');
    p.run('a', 1);
    expect(p.sessions.current).toMatchObject({ student: 'JOHN-DOE' });
  });

  it('keeps a bounded number of events, and says how many it gave up', () => {
    const p = alone({ student: null });
    for (let i = 0; i < MAX_KEPT + 5; i++) {
      p.sessions.add({
        name: 'hint',
        uuid: `${i}`,
        at: new Date(),
        properties: { i }
      });
    }
    p.options.student = 'ADA-L';
    p.sessions.settle();
    expect(p.of('hint')).toHaveLength(MAX_KEPT);
    expect(p.of('hint')[0]).toEqual({ i: 5 });
    p.recording.leave();
    expect(p.of('end')).toMatchObject([{ dropped: 5 }]);
  });
});

describe('consent', () => {
  it('missing: nothing is kept, and nothing of before is told later', () => {
    const p = alone({ keeps: false });
    p.run('a', 1);
    p.gone('died', 'died');
    p.options.keeps = true;
    p.sessions.settle();
    expect(p.made).toEqual([]);
    p.run('b', 1);
    expect(names(p)).toEqual(['start', 'cell']);
  });

  it('found missing: what was kept until then is forgotten', () => {
    const p = alone({ student: null });
    p.run('a', 1);
    p.options.keeps = false;
    p.sessions.settle();
    p.options.keeps = true;
    p.options.student = 'ADA-L';
    p.sessions.settle();
    expect(p.made).toEqual([]);
  });

  it('withdrawn: not even an id remains', () => {
    const store = storage();
    const p = alone({ storage: store });
    p.run('a', 1);
    const first = p.sessions.current!.sess;
    p.sessions.forget();
    expect([...store.entries.values()].join()).not.toContain(first);
    p.options.keeps = false;
    p.run('b', 2);
    p.recording.leave();
    expect(names(p)).toEqual(['start', 'cell']);
  });
});

describe('after a reload', () => {
  it('the session of the same kernel goes on, with its numbers and attempts', () => {
    const store = storage();
    const tag = { cellId: 'c', tags: ['test:mean'] };
    const before = alone({ storage: store });
    before.fail('a', 1, ['AssertionError', ''], 'x', tag);
    const { sess } = before.sessions.current!;

    const after = alone({ storage: store, kernel: undefined });
    after.sessions.add({
      name: 'notebook',
      uuid: 'u',
      at: new Date(),
      properties: {}
    });
    after.sessions.kernelIs('kernel-1');
    after.run('b', 2, 'x', tag);
    expect(names(after)).toEqual(['notebook', 'test', 'cell']);
    expect(after.sessions.current!.sess).toBe(sess);
    expect(after.of('cell')).toMatchObject([{ cell_num: 2 }]);
    expect(after.of('test')).toMatchObject([{ ok: true, try: 2 }]);
  });

  it('it is committed already, also where a setup cell could speak', () => {
    const store = storage();
    const before = alone({ storage: store, hasSetup: true });
    before.run('a', 1);
    const after = alone({ storage: store, hasSetup: true });
    after.sessions.add({
      name: 'notebook',
      uuid: 'u',
      at: new Date(),
      properties: {}
    });
    expect(names(after)).toEqual(['notebook']);
  });

  it.each([
    ['another kernel', { kernel: 'kernel-2' }, () => {}],
    ['a restart in between', {}, (p: RecordedPage) => p.gone('restarted')],
    ['a close in between', {}, (p: RecordedPage) => p.recording.leave()]
  ])('%s has another session', (_why, options, then) => {
    const store = storage();
    const before = alone({ storage: store });
    before.run('a', 1);
    const { sess } = before.sessions.current!;
    then(before);
    const after = alone({ storage: store, ...options });
    after.run('b', 1);
    expect(names(after)).toEqual(['start', 'cell']);
    expect(after.sessions.current!.sess).not.toBe(sess);
  });

  it('a session of the kernel package has the attempts that the page counted', () => {
    const store = storage();
    const tag = { cellId: 'c', tags: ['test:mean'] };
    const before = new RecordedPage({ storage: store });
    before.setup();
    before.run('a', 2, 'x', tag);
    const after = new RecordedPage({ storage: store });
    after.recording.reattach();
    after.receive(m.comm('comm-1', 'o', { ...m.HELLO, runs: 2 }));
    after.run('b', 3, 'x', tag);
    expect(after.of('cell')).toMatchObject([{ cell_num: 3 }]);
    expect(after.of('test')).toMatchObject([{ try: 2 }]);
  });
});

describe('an end of a session of the kernel package', () => {
  it('is told once, and not where the kernel goes on', () => {
    const p = new RecordedPage();
    p.setup();
    p.recording.leave();
    expect(p.of('end')).toEqual([]);

    const q = new RecordedPage();
    q.setup();
    q.gone('died', 'died');
    q.gone('shutdown');
    q.recording.leave();
    expect(names(q)).toEqual(['kernel', 'end']);
    expect(q.made[1]!.uuid).toBe(sessionEndId(m.HELLO.sess, 'lab'));
  });

  it('is for good: an old output does not bring it back', () => {
    const p = new RecordedPage();
    p.setup();
    p.gone('restarted', 'restarted');
    p.request(m.request('r', 'setup'));
    p.receive(m.input('r', 1), m.hello('r'));
    expect(p.sessions.announced).toBeNull();
  });
});

describe('the memory', () => {
  const entry = { sess: 's', own: true, runs: 1, tries: {} };

  it('forgets the oldest, and nothing of what others wrote hurts it', () => {
    const store = storage();
    const memory = new SessionMemory(store);
    for (let i = 0; i < 25; i++) {
      memory.set(`k${i}`, { ...entry, runs: i });
    }
    const again = new SessionMemory(store);
    expect(again.get('k4')).toBeUndefined();
    expect(again.get('k24')).toMatchObject({ runs: 24 });
    const [key] = store.entries.keys();
    for (const bad of ['{', '7', '[["k", {"sess": 1}]]', '[null, ["k"]]']) {
      store.entries.set(key!, bad);
      expect(new SessionMemory(store).get('k')).toBeUndefined();
    }
  });

  it('goes on where the browser keeps nothing', () => {
    const memory = new SessionMemory({
      getItem: () => null,
      setItem: () => {
        throw new Error('quota');
      }
    });
    memory.set('k', entry);
    memory.set('l', entry);
    expect(memory.get('k')).toEqual(entry);
  });
});
