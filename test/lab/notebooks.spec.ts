/** All open notebooks together: what is told of each, by which signal, and what remains when they are closed. */
import { jest } from '@jest/globals';
import { cellRunId, sessionEndId } from '../../src/events/ids.js';
import type { EventName } from '../../src/events/types.js';
import { validateWireEvent } from '../../src/events/validation.js';
import { buildCustomEvent } from '../../src/events/builders.js';
import { HELLO_MIME, type SentEvent } from '../../src/lab/facts.js';
import { faultCounts } from '../../src/lab/guard.js';
import type { MadeEvent } from '../../src/lab/made.js';
import { Notebooks } from '../../src/lab/notebooks.js';
import { START_WAIT_MS } from '../../src/lab/serverRuns.js';
import { Clock, settle } from './clock.js';
import {
  CountedTarget,
  FakeKernel,
  FakeLab,
  FakePanel,
  type NotebookSpec
} from './fakeJupyter.js';
import * as m from './messages.js';
import type { storage } from './recordedPage.js';

const ALL: readonly EventName[] = ['notebook', 'kernel', 'focus', 'edit'];

let page: CountedTarget;
let browser: CountedTarget;
let errors: ReturnType<typeof jest.spyOn>;

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => {});
  errors = jest.spyOn(console, 'error').mockImplementation(() => {});
  page = new CountedTarget();
  browser = new CountedTarget();
  Object.assign(globalThis, { document: page, window: browser });
});
afterEach(() => {
  // Signals write what a slot throws there.
  expect(errors.mock.calls).toEqual([]);
  expect(faultCounts()).toEqual({});
  jest.restoreAllMocks();
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'window');
});

/** A page with its notebooks; a test changes what it answers and calls `refresh`. */
function start(changes: Partial<Answers> = {}) {
  const answers: Answers = {
    reports: true,
    keeps: true,
    events: ALL,
    record: 'marked',
    student: 'ADA-L',
    storage: null,
    ...changes
  };
  const lab = new FakeLab();
  const clock = new Clock();
  const made: MadeEvent[] = [];
  const byKernel: SentEvent[] = [];
  let kernels = 0;
  const notebooks = new Notebooks({
    ...lab.options,
    made: event => made.push(event),
    later: clock.later,
    reports: () => answers.reports,
    keeps: () => answers.keeps,
    collects: name => answers.events.includes(name),
    record: () => answers.record,
    student: () => answers.student,
    countsOf: () => ({ made: 1, delivered: 1, dropped: 0 }),
    sentByKernel: events => byKernel.push(...events),
    decidedInKernel: () => undefined,
    persisted: answers.storage
  });
  return {
    answers,
    lab,
    clock,
    made,
    byKernel,
    notebooks,
    async open(spec: Partial<NotebookSpec> = {}) {
      const kernel = spec.kernel ?? new FakeKernel(`kernel-${++kernels}`);
      const panel = lab.open(
        new FakePanel({
          cells: [
            { id: 'a', source: 'x = 1' },
            { id: 'b', source: 'y = 2' }
          ],
          metadata: { ipynb_telemetry: { notebook: 'intro' } },
          ...spec,
          kernel
        })
      );
      await settle();
      return { panel, kernel };
    },
    /** Names, with the action where there is one. */
    told: () =>
      made.map(({ name, properties: { action, status, reason } }) =>
        [name, action ?? status ?? reason].filter(Boolean).join(' ')
      )
  };
}

interface Answers {
  reports: boolean;
  keeps: boolean;
  events: readonly EventName[];
  record: 'marked' | 'all';
  student: string | null;
  storage: ReturnType<typeof storage> | null;
}

const SETUP = {
  cells: [{ id: 'setup', source: 'setup_telemetry("intro")' }],
  metadata: {}
};

describe('a notebook', () => {
  it('is told from opening to closing, in one session', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    kernel.run('r1', 1);
    panel.context.saveState.emit('started');
    panel.context.saveState.emit('completed');
    panel.context.saveState.emit('failed');
    panel.context.path = 'renamed.ipynb';
    panel.context.pathChanged.emit('renamed.ipynb');
    kernel.sends(m.request('r2', 'x'));
    p.lab.close(panel);
    expect(p.told()).toEqual([
      'start',
      'notebook opened',
      'cell ok',
      'notebook saved',
      'notebook renamed',
      'notebook closed',
      'cell lost',
      'end closed'
    ]);
    const [first] = p.made;
    expect(first).toMatchObject({
      context: { nb: 'intro', student: 'ADA-L', src: 'lab' },
      properties: {
        client: 'lab',
        kernel: 'ipython 9.1',
        language: 'python 3.11'
      }
    });
    expect(new Set(p.made.map(({ context }) => context)).size).toBe(1);
    expect(p.made.at(-1)!.uuid).toBe(sessionEndId(first!.context.sess, 'lab'));
  });

  it('makes events that keep the contract', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    kernel.run('r1', 1, 'x', { cellId: 'a', tags: ['test:mean'] });
    panel.context.model.sharedModel.deleteCell(1);
    await settle();
    panel.status('restarting');
    p.lab.close(panel);
    expect(new Set(p.made.map(({ name }) => name))).toEqual(
      new Set(['start', 'notebook', 'test', 'cell', 'edit', 'kernel', 'end'])
    );
    for (const [
      index,
      { name, context, uuid, at, properties }
    ] of p.made.entries()) {
      const event = buildCustomEvent(
        name,
        context,
        { at, uuid, seq: index + 1 },
        properties
      );
      expect(validateWireEvent(event)).toMatchObject({ ok: true });
    }
  });

  it('that is not marked is nobody’s, unless the server records all', async () => {
    const p = start();
    const { panel, kernel } = await p.open({ metadata: {} });
    kernel.run('r1', 1);
    expect(p.made).toEqual([]);
    const [followed] = p.notebooks.followed;
    expect(followed!.panel).toBe(panel);
    expect(followed).toMatchObject({ recorded: false, session: null });
    p.answers.record = 'all';
    p.notebooks.refresh();
    kernel.run('r2', 2);
    expect(p.told()).toEqual(['start', 'notebook opened', 'cell ok']);
    expect(p.made[0]!.context.nb).toBe('intro'); // By the file's name.
    expect(p.notebooks.currentSession).toBe(p.made[0]!.context);
    expect(p.notebooks.followed).toMatchObject([{ recorded: true }]);
  });

  it('is marked by a setup cell that a student adds later', async () => {
    const p = start();
    const { panel, kernel } = await p.open({ metadata: {} });
    const source = 'setup_telemetry("late")';
    panel.context.model.sharedModel.insertCell(0, {
      cell_type: 'code',
      source
    });
    kernel.sends(m.request('r1', source));
    kernel.says(
      m.input('r1', 1),
      m.failed('r1', 1, 'ImportError', ''),
      m.idle('r1')
    );
    expect(p.told()).toContain('cell error');
    expect(p.made[0]!.context.nb).toBe('late');
  });

  it('has one session in all its views', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    const second = new FakePanel();
    Object.assign(second, {
      context: panel.context,
      sessionContext: panel.sessionContext
    });
    p.lab.open(second);
    kernel.run('r1', 1);
    expect(second.content.cellsPasted.connections).toBe(1);
    expect(second.content.node.listening).toBe(4);
    second.close(false);
    kernel.run('r2', 2);
    expect(p.told()).toEqual([
      'start',
      'notebook opened',
      'cell ok',
      'cell ok'
    ]);
    expect(second.content.node.listening).toBe(0);
    expect(second.content.activeCellChanged.connections).toBe(0);
    expect(p.notebooks.followed).toHaveLength(1);
  });

  it('in the background is followed like the one in front', async () => {
    const p = start();
    const first = await p.open();
    await p.open({ metadata: { ipynb_telemetry: { notebook: 'other' } } });
    first.kernel.run('r1', 1);
    expect(p.made.at(-1)).toMatchObject({
      name: 'cell',
      context: { nb: 'intro' }
    });
    expect(p.notebooks.currentSession).toMatchObject({ nb: 'other' });
  });
});

describe('what the course collects', () => {
  const count = async (events: readonly EventName[]) => {
    const p = start({ events });
    const { panel } = await p.open();
    const counted = {
      saved: panel.context.saveState.connections,
      focus: panel.content.activeCellChanged.connections,
      pasted: panel.content.cellsPasted.connections,
      node: panel.content.node.listening,
      page: page.listening + browser.listening
    };
    p.notebooks.dispose();
    return counted;
  };

  it('decides which listeners there are', async () => {
    const none = { saved: 0, focus: 0, pasted: 0, node: 0, page: 0 };
    expect(await count([])).toEqual(none);
    expect(await count(['notebook'])).toEqual({ ...none, saved: 1 });
    expect(await count(['focus'])).toEqual({
      ...none,
      focus: 1,
      node: 3,
      page: 2
    });
    expect(await count(['edit'])).toEqual({ ...none, pasted: 1, node: 1 });
  });

  it('may become known later, and may change', async () => {
    const p = start({ events: [] });
    const { panel } = await p.open();
    expect(p.made).toEqual([]);
    p.answers.events = ALL;
    p.notebooks.refresh();
    p.notebooks.refresh();
    expect(p.told()).toEqual(['start', 'notebook opened']);
    panel.context.saveState.emit('completed');
    p.answers.events = ['kernel'];
    p.notebooks.refresh();
    panel.context.saveState.emit('completed');
    expect(p.told()).toEqual(['start', 'notebook opened', 'notebook saved']);
    expect(panel.content.node.listening).toBe(0);
  });

  it('is nothing where the student has not agreed, and nothing of before comes later', async () => {
    const p = start({ keeps: false });
    const { panel, kernel } = await p.open();
    kernel.run('r1', 1);
    expect(panel.content.node.listening + page.listening).toBe(0);
    p.notebooks.refresh();
    p.answers.keeps = true;
    p.notebooks.refresh();
    expect(p.made).toEqual([]);
    kernel.run('r2', 2);
    expect(p.told()).toEqual(['start', 'cell ok']);
  });
});

describe('a kernel', () => {
  it.each([
    ['restarted here', ['restarting', 'restarting'], 'restarted', 'restarted'],
    ['shut down', ['terminating', 'unknown'], null, 'shutdown'],
    ['gone when the page asked', ['dead'], null, 'shutdown']
  ])('%s is told once', async (_what, statuses, action, reason) => {
    const p = start();
    const { panel, kernel } = await p.open();
    kernel.sends(m.request('r1', 'x'), m.request('r2', 'y'));
    kernel.says(m.input('r1', 1));
    p.made.length = 0;
    panel.status(...statuses);
    kernel.says(m.goodbye(true));
    expect(p.told()).toEqual([
      'cell lost',
      'cell lost',
      ...(action ? [`kernel ${action}`] : []),
      `end ${reason}`
    ]);
  });

  it('that died is not restarted, whatever status follows', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    kernel.run('r1', 1);
    p.made.length = 0;
    const status = (execution_state: string) => ({
      ...m.idle('x'),
      parent_header: {},
      content: { execution_state }
    });
    kernel.says(status('restarting'));
    panel.status('restarting', 'autorestarting', 'starting', 'busy', 'idle');
    expect(p.told()).toEqual(['kernel died', 'end died']);
    kernel.run('r2', 1);
    panel.status('restarting', 'restarting');
    panel.sessionContext.kernelChanged.emit({ newValue: kernel });
    panel.status('restarting');
    expect(p.told().slice(2)).toEqual([
      'start',
      'cell ok',
      'kernel restarted',
      'end restarted',
      'start',
      'kernel restarted',
      'end restarted'
    ]);
  });

  it('that somebody else restarted loses the runs of this page', async () => {
    const p = start();
    const { kernel } = await p.open();
    kernel.sends(m.request('r1', 'x'));
    p.made.length = 0;
    kernel.says(m.goodbye(true));
    expect(p.told()).toEqual(['cell lost', 'end restarted']);
  });

  it('that was restarted here has its last word ignored: later runs are not lost', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    panel.status('restarting');
    kernel.sends(m.request('r1', 'x'));
    kernel.says(m.goodbye(true), m.idle('old'));
    panel.status('starting');
    kernel.says(m.input('r1', 1), m.ok('r1', 1), m.idle('r1'));
    expect(p.told().at(-1)).toBe('cell ok');
    expect(p.told()).not.toContain('cell lost');
  });

  it('interrupted is told once an interrupt', async () => {
    const p = start();
    const { kernel } = await p.open();
    kernel.sends(m.request('r1', 'x'), m.request('r2', 'x'));
    kernel.says(
      m.input('r1', 1),
      m.failed('r1', 1, 'KeyboardInterrupt', ''),
      m.idle('r1'),
      m.aborted('r2'),
      m.idle('r2')
    );
    expect(p.told().slice(2)).toEqual([
      'kernel interrupted',
      'cell interrupted',
      'cell aborted'
    ]);
  });

  it('replaced by another ends the session', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    kernel.sends(m.request('r1', 'x'));
    const next = new FakeKernel('next');
    panel.changeKernel(next);
    kernel.run('r2', 2);
    next.run('r3', 1);
    expect(kernel.anyMessage.connections).toBe(0);
    expect(p.told().slice(2)).toEqual([
      'cell lost',
      'end shutdown',
      'start',
      'cell ok'
    ]);
  });

  it('that goes with its notebook loses the run, that stays does not', async () => {
    const p = start();
    for (const shutdownOnDispose of [true, false]) {
      const { panel, kernel } = await p.open({ ...SETUP, shutdownOnDispose });
      kernel.sends(m.request(`s${shutdownOnDispose}`, 'setup'));
      kernel.says(
        m.input(`s${shutdownOnDispose}`, 1),
        m.hello(`s${shutdownOnDispose}`, {
          ...m.HELLO,
          sess: `s${shutdownOnDispose}`
        })
      );
      p.made.length = 0;
      kernel.sends(m.request('r1', 'x'));
      p.lab.close(panel);
      expect(p.told()).toEqual(
        shutdownOnDispose
          ? ['notebook closed', 'cell lost', 'cell lost', 'end shutdown']
          : ['notebook closed']
      );
      expect(kernel.comms[0]!.isDisposed).toBe(!shutdownOnDispose);
    }
  });
});

describe('the kernel package', () => {
  const greeted = async (p: ReturnType<typeof start>) => {
    const opened = await p.open(SETUP);
    const { kernel } = opened;
    kernel.sends(m.request('s', 'setup'));
    kernel.says(m.input('s', 1), m.hello('s'), m.ok('s', 1), m.idle('s'));
    return { ...opened, comm: kernel.comms[0]! };
  };

  it('takes over what was kept, and is told of what arrived', async () => {
    const p = start({ student: null });
    const { comm } = await greeted(p);
    expect(p.told()).toEqual(['notebook opened', 'cell ok']);
    expect(p.made[0]!.context).toMatchObject({
      sess: m.HELLO.sess,
      student: 'JOHN-DOE'
    });
    const event = { uuid: 'u', properties: { sess: m.HELLO.sess } };
    p.notebooks.acknowledge([event, { ...event, properties: { sess: 'x' } }]);
    expect(comm.sent.slice(1)).toEqual([{ kind: 'ack', uuids: ['u'] }]);
  });

  it('is told the decision when it answers, and at each change', async () => {
    const p = start();
    const { kernel, comm } = await greeted(p);
    kernel.says(m.comm(comm.commId, 'o', { ...m.HELLO, runs: 1 }));
    expect(comm.sent).toHaveLength(1);
    const yes = { agreed: true, level: 'code', notice_version: 2 };
    p.notebooks.consent(yes);
    kernel.says(m.comm(comm.commId, 'o', { ...m.HELLO, runs: 1 }));
    const no = { agreed: false, level: null, notice_version: 2 };
    p.notebooks.consent(no);
    expect(comm.sent.slice(1)).toEqual([
      { kind: 'consent', ...yes },
      { kind: 'consent', ...yes },
      { kind: 'consent', ...no }
    ]);
  });

  it('says what it sent by itself', async () => {
    const p = start();
    const { kernel, comm } = await greeted(p);
    const event = {
      event: 'cell',
      uuid: 'u',
      distinct_id: 'A',
      properties: {}
    };
    kernel.says(
      m.comm(comm.commId, 'o', { kind: 'sent', events: [event] }),
      m.comm('widget', 'o', { kind: 'sent', events: [event] })
    );
    expect(p.byKernel).toEqual([event]);
  });

  it('is asked for its session after a reload, where an output speaks of it', async () => {
    const p = start();
    const { kernel } = await p.open({
      cells: [
        {
          id: 'hidden-setup',
          source: 'import course',
          outputs: [{ data: {} }, { data: { [HELLO_MIME]: m.HELLO } }]
        }
      ],
      metadata: {}
    });
    expect(kernel.comms).toHaveLength(1);
    kernel.says(m.comm('comm-1', 'o', { ...m.HELLO, runs: 3 }));
    kernel.run('r1', 4);
    expect(p.told()).toEqual(['notebook opened', 'cell ok']);
    expect(p.made[1]!.properties).toMatchObject({ cell_num: 4 });
  });

  it('is not held back by a page that reports nothing', async () => {
    const p = start({ reports: false });
    const { kernel } = await greeted(p).catch(() => p.open(SETUP));
    expect(kernel.comms).toEqual([]);
  });

  it('is let go when the page leaves', async () => {
    const p = start();
    const { comm } = await greeted(p);
    p.notebooks.detach();
    expect(comm.isDisposed).toBe(true);
  });
});

describe('another executor', () => {
  it('on the server: the cell tells, where no kernel package does', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    p.lab.scheduled(panel, 0);
    kernel.says(m.input('theirs', 5, 'x = 1', 'server'));
    panel.cells[0]!.model.executionCount = 5;
    p.lab.executed(panel, 0);
    await p.clock.pass(START_WAIT_MS);
    expect(p.made.at(-1)).toMatchObject({
      name: 'cell',
      properties: {
        nb_cell: 'a',
        status: 'ok',
        ms: null,
        count: 5,
        cell_num: 1,
        code: 'x = 1'
      }
    });
    expect(p.made.at(-1)!.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it('on the server, with the kernel package: that reports, the page joins its session', async () => {
    const p = start();
    const { panel, kernel } = await p.open({
      cells: [
        {
          id: 'setup',
          source: 'setup_telemetry("intro")',
          outputs: []
        },
        { id: 'b', source: 'y' }
      ]
    });
    const { outputs } = panel.cells[0]!.model;
    p.lab.scheduled(panel, 0);
    p.lab.scheduled(panel, 1);
    Object.assign(outputs, {
      length: 1,
      get: () => ({ data: { [HELLO_MIME]: m.HELLO } })
    });
    p.lab.executed(panel, 0);
    p.lab.executed(panel, 1);
    await p.clock.pass(START_WAIT_MS);
    expect(p.told()).toEqual(['notebook opened']);
    expect(p.notebooks.currentSession).toMatchObject({ sess: m.HELLO.sess });
    expect(kernel.comms).toHaveLength(1);
  });

  it('JupyterLab’s own, where message and signals tell of one run', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    p.lab.scheduled(panel, 0);
    kernel.run('r1', 1, 'x = 1', { cellId: 'a' });
    p.lab.executed(panel, 0);
    await p.clock.pass(60_000);
    expect(p.told().filter(told => told.startsWith('cell'))).toEqual([
      'cell ok'
    ]);
    expect(p.made.at(-1)!.uuid).toBe(cellRunId('r1'));
  });

  it('of a notebook that is not followed is nothing to us', async () => {
    const p = start();
    p.lab.scheduled(new FakePanel(), 0);
    p.lab.executed(new FakePanel(), 0);
    await p.clock.pass(60_000);
    expect(p.made).toEqual([]);
  });
});

describe('the exercise of a cell', () => {
  it('is not that of its original in runs, focus and edits of a copy', async () => {
    const p = start();
    const metadata = { ipynb_telemetry: { exercise: 'mean' } };
    const { panel, kernel } = await p.open({
      cells: [{ id: 'a', source: 'x', metadata }]
    });
    panel.context.model.sharedModel.insertCell(1, {
      id: 'copy',
      cell_type: 'code',
      source: 'x',
      metadata: { ...metadata }
    });
    await settle();
    kernel.run('r1', 1, 'x', { cellId: 'a', ...metadata });
    kernel.run('r2', 2, 'x', { cellId: 'copy', ...metadata });
    panel.context.model.sharedModel.deleteCell(0);
    await settle();
    expect(
      p.made
        .filter(({ name }) => name === 'cell' || name === 'edit')
        .map(({ properties }) => properties['cell_id'])
    ).toEqual(['copy', 'mean', 'copy', 'mean']);
  });

  it('is told of the cell in which the student works', async () => {
    const p = start();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    const { panel } = await p.open({
      cells: [
        {
          id: 'a',
          source: 'x',
          metadata: { ipynb_telemetry: { exercise: 'e' } }
        },
        { id: 'b', source: 'y' }
      ]
    });
    panel.content.node.dispatchEvent(new Event('keydown'));
    now.mockReturnValue(4000);
    panel.content.node.dispatchEvent(new Event('keydown'));
    panel.activate(1);
    now.mockReturnValue(9000);
    p.lab.show(null);
    expect(
      p.made.filter(({ name }) => name === 'focus').map(one => one.properties)
    ).toEqual([
      { cell_id: 'e', ms: 3000 },
      { cell_id: 'b', ms: 5000 }
    ]);
  });

  it('stands for the ids that an old format does not keep', async () => {
    const p = start();
    const ids: unknown[] = [];
    for (const id of ['x1', 'x2']) {
      const { panel, kernel } = await p.open({
        cells: [{ id, source: 'import math' }],
        minor: 4
      });
      const cellId = panel.context.model.sharedModel.cells[0]!.getId();
      kernel.run(`r${id}`, 1, 'import math', { cellId });
      ids.push(p.made.at(-1)!.properties['cell_id']);
      p.lab.close(panel);
    }
    expect(ids[0]).toMatch(/^h-[0-9a-f]{12}$/);
    expect(ids[1]).toBe(ids[0]);
  });
});

describe('an event of another extension', () => {
  it('goes with the session of its notebook, or of the one in front', async () => {
    const p = start();
    const first = await p.open();
    await p.open({ metadata: { ipynb_telemetry: { notebook: 'other' } } });
    const panel = first.panel as unknown as Parameters<Notebooks['capture']>[0];
    expect(p.notebooks.capture(panel, 'hint', { n: 1 })).toBe(true);
    expect(p.notebooks.capture(null, 'hint', { n: 2 })).toBe(true);
    expect(
      p.made
        .filter(({ name }) => name === 'hint')
        .map(({ context, properties }) => [context.nb, properties])
    ).toEqual([
      ['intro', { n: 1 }],
      ['other', { n: 2 }]
    ]);
  });

  it('is not taken where nothing is recorded', async () => {
    const p = start();
    expect(p.notebooks.capture(null, 'hint', {})).toBe(false);
    await p.open({ metadata: {} });
    expect(p.notebooks.capture(null, 'hint', {})).toBe(false);
    p.answers.keeps = false;
    await p.open();
    expect(p.notebooks.capture(null, 'hint', {})).toBe(false);
  });
});

describe('in the end', () => {
  it('a notebook that was closed before the student was known is told later', async () => {
    const p = start({ student: null });
    const { panel, kernel } = await p.open();
    kernel.run('r1', 1);
    p.lab.close(panel);
    expect(p.made).toEqual([]);
    p.answers.student = 'ADA-L';
    p.notebooks.studentKnown();
    p.notebooks.studentKnown();
    expect(p.told()).toEqual([
      'start',
      'notebook opened',
      'cell ok',
      'notebook closed',
      'end closed'
    ]);
  });

  it('50 notebooks opened, worked in and closed leave nothing behind', async () => {
    const p = start();
    const connected = p.lab.connections;
    expect(connected).toBe(4);
    const panels: FakePanel[] = [];
    for (let i = 0; i < 50; i++) {
      const { panel, kernel } = await p.open();
      panels.push(panel);
      panel.content.node.dispatchEvent(new Event('keydown'));
      panel.activate(1);
      kernel.run(`r${i}`, 1);
      p.lab.scheduled(panel, 0);
      panel.cells[0]!.model.executionState = 'running';
      p.lab.executed(panel, 0);
      panel.status('restarting', 'starting');
      if (i % 2) {
        kernel.sends(m.request(`s${i}`, 'setup'));
        kernel.says(m.hello(`s${i}`, { ...m.HELLO, sess: `s${i}` }));
      }
      expect(p.lab.connections).toBe(connected);
      if (i >= 3) {
        p.lab.close(panels[i - 3]!);
      }
    }
    panels.slice(-3).forEach(panel => p.lab.close(panel));
    await settle();
    expect(panels.reduce((sum, panel) => sum + panel.connections, 0)).toBe(0);
    expect(page.listening + browser.listening).toBe(0);
    expect(p.lab.connections).toBe(connected);
    expect(p.clock.pending).toEqual([]);
    expect(p.notebooks.followed).toEqual([]);

    p.notebooks.dispose();
    p.notebooks.dispose();
    expect(p.lab.connections).toBe(0);
  });

  it('an extension that is switched off leaves open notebooks alone', async () => {
    const p = start();
    const { panel, kernel } = await p.open();
    p.notebooks.dispose();
    const { length } = p.made;
    kernel.run('r1', 1);
    panel.context.saveState.emit('completed');
    expect(panel.connections).toBe(0);
    expect(p.made).toHaveLength(length);
  });
});
