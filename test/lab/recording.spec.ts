/** One kernel's session: which runs and tests become events, with which properties. */
import { cellRunId, sessionEndId, testResultId } from '../../src/events/ids.js';
import { IDLE_WAIT_MS } from '../../src/lab/recording.js';
import { VERSION } from '../../src/lab/version.js';
import * as m from './messages.js';
import { RecordedPage } from './recordedPage.js';

const page = () => new RecordedPage();

describe('a session', () => {
  it('begins with the hello; the setup cell is its first run', () => {
    const p = page();
    p.request(m.request('r0', 'import math'), m.request('r1', 'setup'));
    p.receive(m.input('r0', 1), m.ok('r0', 1), m.idle('r0'));
    p.receive(m.input('r1', 2), m.hello('r1'), m.ok('r1', 2), m.idle('r1'));
    expect(p.recording.session).toEqual({
      nb: 'intro',
      sess: 'aB3dE5gH',
      student: 'JOHN-DOE',
      v: VERSION,
      src: 'lab'
    });
    // What ran before has no number in this session.
    expect(p.made[0]).toMatchObject({
      context: p.recording.session,
      uuid: cellRunId('r0'),
      properties: { cell_num: null, count: 1 }
    });
    expect(p.made.slice(1)).toEqual([
      {
        name: 'cell',
        context: p.recording.session,
        uuid: cellRunId('r1'),
        at: new Date('2026-11-21T09:30:00.000Z'),
        properties: {
          cell_id: 'cell-r1',
          cell_num: 1,
          code: 'setup',
          status: 'ok',
          ms: 1500,
          err: null,
          count: 2,
          lines: 1,
          nb_cell: 'cell-r1'
        }
      }
    ]);
    expect(p.changes).toBe(1);
  });

  it('is not taken from a run of another tab', () => {
    const p = page();
    p.receive(m.hello('r9', m.HELLO, 'other-tab'));
    expect(p.recording.session).toBeNull();
  });

  it('changes when the setup cell runs again; its run is number 1 again', () => {
    const p = page();
    p.setup();
    p.request(m.request('r2', 'setup'));
    p.receive(
      m.input('r2', 2),
      m.hello('r2', { ...m.HELLO, sess: 'second22' }),
      m.ok('r2', 2),
      m.idle('r2')
    );
    expect(p.made).toMatchObject([
      {
        name: 'end',
        context: { sess: 'aB3dE5gH' },
        uuid: sessionEndId('aB3dE5gH', 'lab'),
        properties: { reason: 'setup' }
      },
      { context: { sess: 'second22' }, properties: { cell_num: 1 } }
    ]);
    // The kernel package has closed the first session's line by itself.
    p.recording.channelClosed('comm-1');
    p.recording.acknowledge(['u']);
    expect(p.sent).toEqual([
      { id: 'comm-2', data: { kind: 'ack', uuids: ['u'] } }
    ]);
  });

  it('ends with the kernel, once: open runs are lost, later ones are of another session', () => {
    const p = page();
    p.setup();
    p.request(m.request('r2', 'while True: pass'), m.request('r3', 'x'));
    p.receive(m.input('r2', 2));
    p.gone('shutdown');
    p.gone('shutdown');
    p.request(m.request('r4', 'x'));
    p.receive(m.input('r4', 1), m.ok('r4', 1), m.idle('r4'));
    expect(p.recording.session).toBeNull();
    expect(p.of('cell')).toMatchObject([
      { status: 'lost', cell_num: 2, ms: null, err: null, count: 2 },
      { status: 'lost', cell_num: null, ms: null, err: null, count: null },
      { status: 'ok', cell_num: 1, count: 1 }
    ]);
    expect(p.made.at(-1)!.context).toMatchObject({
      sess: p.sessions.current!.sess,
      student: 'JOHN-DOE'
    });
    expect(p.of('end')).toEqual([
      { reason: 'shutdown', made: 2, delivered: 0, dropped: 0 }
    ]);
    expect(p.closed).toEqual([]);
  });
});

describe('a run', () => {
  it('has the outcome of its reply', () => {
    const p = page();
    p.setup();
    p.request(
      m.request('a', 'ok'),
      m.request('b', '1/0'),
      m.request('c', 'raise ValueError'),
      m.request('d', 'sleep'),
      m.request('e', 'x\ny\n')
    );
    p.receive(m.input('a', 2), m.ok('a', 2), m.idle('a'));
    p.receive(
      m.input('b', 3),
      m.failed('b', 3, 'ZeroDivisionError', 'division by zero'),
      m.idle('b')
    );
    p.receive(m.input('c', 4), m.failed('c', 4, 'ValueError', ''), m.idle('c'));
    p.receive(
      m.input('d', 5),
      m.failed('d', 5, 'KeyboardInterrupt', ''),
      m.idle('d')
    );
    p.receive(m.aborted('e'), m.idle('e'));
    expect(p.of('cell')).toMatchObject([
      { status: 'ok', err: null, cell_num: 2, count: 2 },
      {
        status: 'error',
        err: 'ZeroDivisionError: division by zero',
        cell_num: 3
      },
      { status: 'error', err: 'ValueError', cell_num: 4 },
      { status: 'interrupted', err: 'KeyboardInterrupt', cell_num: 5 },
      {
        status: 'aborted',
        err: null,
        cell_num: null,
        count: null,
        ms: null,
        lines: 3
      }
    ]);
  });

  it('is measured by the page where the kernel does not tell the time', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.pass(400);
    p.receive(m.input('a', 2));
    p.pass(70);
    p.receive(
      m.reply('a', { status: 'ok', execution_count: 2 }, {}),
      m.idle('a')
    );
    expect(p.of('cell')).toMatchObject([{ ms: 70 }]);
  });

  it('waits for the idle, since labels come on another socket than the reply', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x = 1'));
    p.receive(m.input('a', 2), m.ok('a', 2));
    expect(p.made).toEqual([]);
    p.receive(
      m.comm('comm-1', 'a', { kind: 'label', cell_id: 'q1', code: 'x = ?' }),
      m.idle('a')
    );
    expect(p.of('cell')).toMatchObject([
      { cell_id: 'q1', code: 'x = ?', nb_cell: 'cell-a' }
    ]);
    expect(p.timers.size).toBe(0);
  });

  it('ends also when the idle is late or came before the reply', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'), m.request('b', 'x'));
    p.receive(m.input('a', 2), m.ok('a', 2));
    p.pass(IDLE_WAIT_MS);
    p.receive(m.idle('a'));
    p.receive(m.input('b', 3), m.idle('b'), m.ok('b', 3));
    expect(p.of('cell')).toHaveLength(2);
  });

  it('counts once, whatever arrives twice', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(
      m.input('a', 2),
      m.ok('a', 2),
      m.ok('a', 2),
      m.idle('a'),
      m.idle('a'),
      m.ok('a', 2)
    );
    expect(p.of('cell')).toHaveLength(1);
  });

  it('is numbered as the kernel numbers: runs of other tabs and consoles count', () => {
    const p = page();
    p.setup();
    p.receive(m.input('theirs', 2, 'y', 'other-tab'));
    p.receive(m.input('blank', 3, ' ', 'other-tab'));
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 3), m.ok('a', 3), m.idle('a'));
    expect(p.of('cell')).toMatchObject([{ cell_num: 3 }]);
  });

  it('is named by the label, else by the exercise, else by the format’s id', () => {
    const p = page();
    p.setup();
    const metadata = { cellId: 'c7', ipynb_telemetry: { exercise: 'loops' } };
    p.request(m.request('a', 'x', metadata), m.request('b', 'x', metadata));
    p.receive(m.input('a', 2), m.ok('a', 2), m.idle('a'), m.input('b', 3));
    p.receive(
      m.comm('comm-1', 'b', { kind: 'label', cell_id: 'q1', code: '' }),
      m.ok('b', 3),
      m.idle('b')
    );
    expect(p.of('cell')).toMatchObject([
      { cell_id: 'loops', nb_cell: 'c7' },
      { cell_id: 'q1', nb_cell: 'c7', code: 'x' }
    ]);
  });
});

describe('a test result', () => {
  const result = {
    kind: 'test',
    ex: 'mean',
    ok: false,
    try: 1,
    ms: 3,
    err_type: 'AssertionError',
    err: 'expected 2',
    ordinal: 1,
    cell_id: null
  };

  it('becomes an event with the id that the kernel gives it too', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 2));
    p.receive(m.comm('comm-1', 'a', result));
    p.receive(
      m.comm('comm-1', 'a', {
        ...result,
        ok: true,
        try: 2,
        ordinal: 2,
        err_type: null,
        err: null,
        cell_id: 'q1'
      })
    );
    expect(p.made).toMatchObject([
      {
        name: 'test',
        uuid: testResultId('a', 'mean', 1),
        properties: {
          ex: 'mean',
          ok: false,
          try: 1,
          ms: 3,
          err: 'AssertionError: expected 2',
          cell_id: 'cell-a'
        }
      },
      {
        uuid: testResultId('a', 'mean', 2),
        properties: { ok: true, try: 2, err: null, cell_id: 'q1' }
      }
    ]);
  });

  it('counts once when it comes twice', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(m.comm('comm-1', 'a', result), m.comm('comm-1', 'a', result));
    expect(p.made).toHaveLength(1);
  });

  it('is taken also after its run has ended, from a thread', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 2), m.ok('a', 2), m.idle('a'));
    p.receive(m.comm('comm-1', 'b', { ...result, msg_id: 'a' }));
    expect(p.made.map(event => event.name)).toEqual(['cell', 'test']);
  });

  it.each([
    ['on another comm', m.comm('widget', 'a', result)],
    ['of another tab’s run', m.comm('comm-1', 'b', result, 'other-tab')]
  ])('%s is not taken', (_why, msg) => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'x'));
    p.receive(msg);
    expect(p.made).toEqual([]);
  });

  it('comes also under the comm id that the hello names, before the line is open', () => {
    const p = page();
    p.request(m.request('r1', 'setup'));
    p.receive(m.input('r1', 1), m.hello('r1', { ...m.HELLO, comm: 'voice' }));
    p.receive(m.comm('voice', 'r1', result));
    expect(p.made).toMatchObject([{ name: 'test' }]);
  });
});

describe('the line to the kernel', () => {
  it('acknowledges what arrived', () => {
    const p = page();
    p.setup();
    p.recording.acknowledge([]);
    p.recording.acknowledge(['u1', 'u2']);
    expect(p.sent).toEqual([
      { id: 'comm-1', data: { kind: 'ack', uuids: ['u1', 'u2'] } }
    ]);
  });

  it('finds the session again after a reload and goes on numbering', () => {
    const p = page();
    p.recording.reattach();
    p.recording.reattach();
    p.receive(m.comm('comm-1', 'open', { ...m.HELLO, runs: 6, nonce: 'n' }));
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 7), m.ok('a', 7), m.idle('a'));
    expect(p.of('cell')).toMatchObject([{ cell_num: 7 }]);
    expect(p.changes).toBe(1);
  });

  it('is refused by a kernel that was restarted: no session, nothing told', () => {
    const p = page();
    p.recording.reattach();
    p.recording.channelClosed('comm-1');
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 1), m.ok('a', 1), m.idle('a'));
    expect(p.recording.session).toBeNull();
    expect(p.made).toEqual([]);
  });

  it('is closed when the page leaves; the kernel reports what is still open', () => {
    const p = page();
    p.setup();
    p.request(m.request('a', 'long'), m.request('b', 'x'));
    p.receive(m.input('a', 2), m.ok('a', 2));
    p.recording.leave();
    expect(p.of('cell')).toMatchObject([{ status: 'ok', cell_num: 2 }]);
    expect(p.closed).toEqual(['comm-1']);
    expect(p.recording.session).toBeNull();
  });

  it('was never there: a page that leaves has lost its open runs', () => {
    const p = new RecordedPage({ student: 'JOHN-DOE', hasSetup: false });
    p.request(m.request('a', 'long'));
    p.recording.leave();
    expect(p.of('cell')).toMatchObject([{ status: 'lost' }]);
    expect(p.of('end')).toMatchObject([{ reason: 'closed' }]);
  });

  it('brings a decision that the student made in a cell, and no stranger’s', () => {
    const p = page();
    p.setup();
    const decision = { agreed: false, level: 'code', notice_version: 2 };
    const word = { kind: 'consent', ...decision };
    p.receive(m.comm('comm-1', 'a', word), m.comm('widget', 'a', word));
    expect(p.decisions).toEqual([decision]);
  });

  it('is closed by detach, and runs go on being reported', () => {
    const p = page();
    p.setup();
    p.recording.detach();
    p.recording.acknowledge(['u1']);
    p.request(m.request('a', 'x'));
    p.receive(m.input('a', 2), m.ok('a', 2), m.idle('a'));
    expect(p.closed).toEqual(['comm-1']);
    expect(p.sent).toEqual([]);
    expect(p.of('cell')).toHaveLength(1);
  });
});
