/** The shipped fake: it keeps a sink's promises, and does as it is told. */
import {
  createMemorySink,
  type MemorySink,
  type Outcome
} from '../../src/sinks/index.js';
import { makeRecords } from '../support/records.js';
import { describeSink } from './conformance.js';

describeSink('memory', () => {
  let outcome: Outcome = { kind: 'ok' };
  let isPoisoned = false;
  const open = (): MemorySink =>
    createMemorySink({
      judge: records =>
        isPoisoned && records.some(({ payload }) => 'poison' in payload)
          ? { kind: 'refused', reason: 'poison' }
          : outcome
    });
  const sink = open();
  let present = sink;
  const to = (next: Outcome) => () => {
    outcome = next;
  };
  return {
    sink,
    count: () => present.records().length,
    uuids: () => present.records().map(({ uuid }) => uuid ?? ''),
    provoke: {
      retry: to({ kind: 'retry', reason: 'told so' }),
      refused: to({ kind: 'refused', reason: 'told so' }),
      stop: to({ kind: 'stop', reason: 'told so' })
    },
    heal: to({ kind: 'ok' }),
    poison: () => {
      isPoisoned = true;
    },
    forgets: true,
    reopen: () => {
      present = open();
      return present;
    }
  };
});

describe('the memory sink', () => {
  it('gives the outcomes it was told, in turn, and then takes everything', async () => {
    const sink = createMemorySink();
    sink.answer(
      { kind: 'retry', reason: 'busy', afterMs: 5 },
      { kind: 'refused', reason: 'bad' }
    );
    const records = makeRecords(2);
    expect(await sink.deliver(records)).toEqual({
      kind: 'retry',
      reason: 'busy',
      afterMs: 5
    });
    expect((await sink.deliver(records)).kind).toBe('refused');
    expect(sink.records()).toEqual([]);
    expect((await sink.deliver(records)).kind).toBe('ok');
    expect(sink.records()).toEqual(records);
    expect(sink.deliveries()).toHaveLength(3);
  });

  it('turns an exception of its judge into a retry', async () => {
    const sink = createMemorySink({
      judge: () => {
        throw new Error('judge is ill');
      }
    });
    expect(await sink.deliver(makeRecords(1))).toEqual({
      kind: 'retry',
      reason: 'Error: judge is ill'
    });
  });
});
