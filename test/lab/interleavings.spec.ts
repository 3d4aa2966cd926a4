/** Whatever order requests, messages, restarts and endings come in: exactly one `cell` event a request. */
import fc from 'fast-check';
import { cellRunId } from '../../src/events/ids.js';
import type { MadeEvent } from '../../src/lab/made.js';
import { IDLE_WAIT_MS } from '../../src/lab/recording.js';
import * as m from './messages.js';
import { RecordedPage } from './recordedPage.js';

/** What may happen next; `run` picks one of the requests so far. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('request') }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'input',
        'ok',
        'failed',
        'interrupted',
        'aborted',
        'idle',
        'label',
        'test'
      ),
      run: fc.nat(30)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'hello',
        'restart',
        'death',
        'reattach',
        'welcome',
        'closed',
        'pass',
        'known'
      )
    })
  }
);

/** Plays the steps; gives the requests and what was made. */
function play(
  steps: readonly { kind: string; run?: number }[],
  hasSetup: boolean
): { requests: string[]; page: RecordedPage } {
  const page = new RecordedPage({ hasSetup });
  const requests: string[] = [];
  let sessions = 0;
  let count = 0;
  for (const { kind, run = 0 } of steps) {
    const id = requests[run % Math.max(1, requests.length)] ?? 'nobody’s';
    const comm = page.sent.at(-1)?.id ?? 'comm-1';
    switch (kind) {
      case 'request':
        requests.push(`r${requests.length}`);
        page.request(m.request(requests.at(-1)!, 'x'));
        break;
      case 'input':
        page.receive(m.input(id, ++count));
        break;
      case 'ok':
        page.receive(m.ok(id, count));
        break;
      case 'failed':
        page.receive(m.failed(id, count, 'ValueError', ''));
        break;
      case 'interrupted':
        page.receive(m.failed(id, count, 'KeyboardInterrupt', ''));
        break;
      case 'aborted':
        page.receive(m.aborted(id));
        break;
      case 'idle':
        page.receive(m.idle(id));
        break;
      case 'label':
        page.receive(m.comm(comm, id, { kind: 'label', cell_id: 'q' }));
        break;
      case 'test':
        page.receive(
          m.comm(comm, id, { kind: 'test', ex: 'e', ok: true, ordinal: 1 })
        );
        break;
      case 'hello':
        page.receive(
          m.hello(id, { ...m.HELLO, sess: `s${(sessions += 1)}`, comm: 'v' })
        );
        break;
      case 'welcome':
        page.receive(m.comm('comm-1', 'o', { ...m.HELLO, runs: 2 }));
        break;
      case 'reattach':
        page.recording.reattach();
        break;
      case 'restart':
        page.gone('restarted', 'restarted');
        break;
      case 'death':
        page.gone('died', 'died');
        break;
      case 'closed':
        page.recording.channelClosed(comm);
        break;
      case 'pass':
        page.pass(IDLE_WAIT_MS);
        break;
      case 'known':
        page.options.student = 'ADA-L';
        page.sessions.settle();
        break;
    }
  }
  return { requests, page };
}

const cells = (made: readonly MadeEvent[]) =>
  made.filter(({ name }) => name === 'cell').map(({ uuid }) => uuid);

/** The kernel ends, the notebook is closed, and somebody says who the student is. */
function end(page: RecordedPage): void {
  page.gone('shutdown');
  page.recording.leave();
  page.options.student = 'ADA-L';
  page.sessions.settle();
}

const steps = fc.array(step, { maxLength: 60 });

it('each request has one cell event, with the id of the request', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (taken, hasSetup) => {
      const { requests, page } = play(taken, hasSetup);
      end(page);
      expect(cells(page.made).sort()).toEqual(requests.map(cellRunId).sort());
      expect(page.timers.size).toBe(0);
    }),
    { numRuns: 400 }
  );
});

it('no event comes twice; each session begins and ends at most once, and nothing comes after its end', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (taken, hasSetup) => {
      const { page } = play(taken, hasSetup);
      end(page);
      const { made } = page;
      expect(new Set(made.map(({ uuid }) => uuid)).size).toBe(made.length);
      const over = new Set<string>();
      const begun = new Set<string>();
      for (const { name, context } of made) {
        expect(over).not.toContain(context.sess);
        if (name === 'end') {
          over.add(context.sess);
        }
        if (name === 'start') {
          expect(begun).not.toContain(context.sess);
        }
        begun.add(context.sess);
      }
      expect([...begun].filter(sess => !over.has(sess))).toEqual([]);
    }),
    { numRuns: 400 }
  );
});

it('where nothing may be kept, nothing is made, whatever happens', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (taken, hasSetup) => {
      const { page } = play(
        taken.filter(({ kind }) => kind !== 'known'),
        hasSetup
      );
      page.made.length = 0;
      page.options.keeps = false;
      page.sessions.settle();
      page.run('late', 1);
      end(page);
      expect(page.made).toEqual([]);
    }),
    { numRuns: 200 }
  );
});
