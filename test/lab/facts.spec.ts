/** What is read out of kernel messages, and what is not. */
import { readHello, readMessage } from '../../src/lab/facts.js';
import * as m from './messages.js';

const sent = (msg: ReturnType<typeof m.request>) =>
  readMessage('send', msg, m.CLIENT);
const received = (msg: ReturnType<typeof m.request>) =>
  readMessage('recv', msg, m.CLIENT);

describe('a request', () => {
  it('of a notebook cell opens a run, with its exercise out of the metadata', () => {
    expect(
      sent(
        m.request('r1', 'x = 1', {
          cellId: 'c1',
          trusted: true,
          ipynb_telemetry: { exercise: 'loops' }
        })
      )
    ).toEqual({
      kind: 'requested',
      run: 'r1',
      cell: 'c1',
      exercise: 'loops',
      code: 'x = 1',
      tags: [],
      test: null
    });
  });

  it.each([
    ['of a console, which has no cell', m.request('r1', 'x', {})],
    ['with a blank source', m.request('r1', ' \n\t', { cellId: 'c1' })],
    [
      'that is silent',
      { ...m.request('r1', 'x'), content: { code: 'x', silent: true } }
    ],
    [
      'of another kind',
      {
        ...m.request('r1', 'x'),
        header: { msg_type: 'kernel_info_request', msg_id: 'r1' }
      }
    ]
  ])('%s is no run', (_why, msg) => {
    expect(sent(msg)).toBeNull();
  });
});

describe('a reply', () => {
  it('gives the kernel time out of its own clock', () => {
    expect(received(m.ok('r1', 3))).toEqual({
      kind: 'replied',
      run: 'r1',
      reply: {
        status: 'ok',
        ename: null,
        evalue: null,
        traceback: [],
        count: 3,
        ms: 1500
      }
    });
  });

  it('without times, or with a clock that went backwards, gives none', () => {
    const noTimes = m.reply('r1', { status: 'ok', execution_count: 1 }, {});
    const backwards = m.reply(
      'r1',
      { status: 'ok', execution_count: 1 },
      { started: '2026-11-21T09:31:00Z' }
    );
    for (const msg of [noTimes, backwards]) {
      expect(received(msg)).toMatchObject({ reply: { ms: null } });
    }
  });

  it('that is neither ok nor error is aborted', () => {
    expect(received(m.aborted('r1'))).toMatchObject({
      reply: { status: 'aborted', count: null }
    });
  });
});

describe('a hello', () => {
  it('tells whose session it is and whether this page asked for it', () => {
    expect(received(m.hello('r1'))).toEqual({
      kind: 'hello',
      run: 'r1',
      own: true,
      hello: {
        nb: 'intro',
        sess: 'aB3dE5gH',
        student: 'JOHN-DOE',
        v: '0.1.0',
        comm: null,
        runs: null
      }
    });
    expect(received(m.hello('r1', m.HELLO, 'other-tab'))).toMatchObject({
      own: false
    });
  });

  it.each([
    ['no session', { ...m.HELLO, sess: '' }],
    ['no student', { ...m.HELLO, student: undefined }],
    ['another kind', { ...m.HELLO, kind: 'label' }],
    ['no data', null],
    ['text', 'hello']
  ])('with %s is none', (_why, data) => {
    expect(readHello(data)).toBeNull();
  });
});

describe('marks of a test', () => {
  it('are read from tags and metadata, whatever else is there', () => {
    const read = (metadata: object) =>
      sent(m.request('r1', 'x', { cellId: 'c1', ...metadata }));
    expect(
      read({ tags: ['test:mean', 7], ipynb_telemetry: { test: true } })
    ).toMatchObject({ tags: ['test:mean'], test: true });
    expect(read({ ipynb_telemetry: { test: 'mean' } })).toMatchObject({
      tags: [],
      test: 'mean'
    });
    expect(
      read({ tags: 'test:mean', ipynb_telemetry: { test: '', exercise: '' } })
    ).toMatchObject({ tags: [], test: null, exercise: null });
  });
});

describe('the end of a kernel', () => {
  const status = (execution_state: string) => ({
    ...m.idle('r1'),
    parent_header: {},
    content: { execution_state }
  });

  it('is told by the server, or by the kernel itself on its way out', () => {
    expect(received(status('restarting'))).toEqual({ kind: 'died' });
    expect(received(status('dead'))).toEqual({ kind: 'died' });
    expect(received(status('starting'))).toBeNull();
    expect(received(m.goodbye(true))).toEqual({
      kind: 'leaves',
      restart: true
    });
  });

  it('is not told by the answer on the control channel', () => {
    expect(received({ ...m.goodbye(true), channel: 'control' })).toBeNull();
  });
});

describe('a comm message', () => {
  it('gives what the kernel package delivered by itself, as far as it is whole', () => {
    const event = {
      event: 'cell',
      uuid: 'u',
      distinct_id: 'A',
      properties: { nb: 'x' }
    };
    expect(
      received(
        m.comm('c', 'r1', {
          kind: 'sent',
          events: [event, null, { event: 1 }, { ...event, uuid: undefined }]
        })
      )
    ).toEqual({ kind: 'sent', comm: 'c', events: [event] });
    expect(
      received(m.comm('c', 'r1', { kind: 'sent', events: 'x' }))
    ).toBeNull();
  });

  it('tells what the student decided in a cell', () => {
    const decision = { agreed: false, level: 'code', notice_version: 3 };
    expect(
      received(m.comm('c', 'r1', { kind: 'consent', ...decision }))
    ).toEqual({ kind: 'decided', comm: 'c', decision });
    for (const wrong of [{ agreed: 'no' }, { notice_version: null }]) {
      expect(
        received(m.comm('c', 'r1', { kind: 'consent', ...decision, ...wrong }))
      ).toBeNull();
    }
  });

  it('has no status where the kernel package names one that nobody knows', () => {
    expect(
      received(
        m.comm('c', 'r1', { kind: 'test', ex: 'a', ok: true, status: 'fine' })
      )
    ).toMatchObject({ test: { status: null, try: 1, ordinal: 1 } });
  });

  it('gives labels and test results', () => {
    expect(
      received(m.comm('c', 'r1', { kind: 'label', cell_id: 'a', code: 'b' }))
    ).toEqual({ kind: 'label', comm: 'c', run: 'r1', cellId: 'a', code: 'b' });
    expect(
      received(
        m.comm('c', 'r1', {
          kind: 'test',
          ex: 'sum',
          ok: false,
          try: 2,
          ms: 4,
          status: 'failed',
          err_type: 'AssertionError',
          err: 'no',
          ordinal: 1,
          cell_id: null
        })
      )
    ).toEqual({
      kind: 'test',
      comm: 'c',
      run: 'r1',
      test: {
        ex: 'sum',
        ok: false,
        status: 'failed',
        try: 2,
        ms: 4,
        errType: 'AssertionError',
        err: 'no',
        ordinal: 1,
        cellId: null
      }
    });
  });

  it('belongs to the run that it names, whatever its parent is', () => {
    const data = { kind: 'label', cell_id: 'a', msg_id: 'r1' };
    expect(received(m.comm('c', 'thread', data))).toMatchObject({ run: 'r1' });
  });

  it.each([
    [{ method: 'update', state: {} }],
    [{ kind: 'test', ok: true }],
    [{ kind: 'test', ex: 'a', ok: 'yes' }],
    [{ kind: 'label' }],
    [null],
    ['text']
  ])('of a widget or with a fault is none: %j', data => {
    expect(received(m.comm('c', 'r1', data as object))).toBeNull();
  });
});

it('survives messages without content or parents', () => {
  for (const type of [
    'execute_reply',
    'execute_input',
    'status',
    'display_data',
    'comm_msg',
    'stream'
  ]) {
    const bare = {
      channel: 'iopub',
      header: { msg_type: type, msg_id: 'k' },
      parent_header: {},
      metadata: {},
      content: undefined
    };
    expect(received(bare)).toBeNull();
    expect(
      received({ ...bare, parent_header: { msg_id: 'r1' } })?.kind
    ).not.toBe('hello');
  }
});
