/** Received events as rows that a test can write down: the contract's properties without what differs each time. */
import type { StoredEvent } from '../../support/posthogStandIn.js';

export type Row = Record<string, unknown>;

/** Checked by themselves in `checkCommon`. */
const EACH_TIME = ['sess', 'seq', 'ms', 'v', 'course', 'student', 'nb'];

/** One event: its name and own properties. What PostHog's protocol adds begins with `$`. */
export function row({ event, properties }: StoredEvent): Row {
  return {
    event,
    ...Object.fromEntries(
      Object.entries(properties).filter(
        ([name]) => !name.startsWith('$') && !EACH_TIME.includes(name)
      )
    )
  };
}

/** Row of a `cell` event at level `outcomes`, as the page makes it. */
export function cell(
  nb_cell: string,
  cell_id: string,
  lines: number,
  outcome: Row
): Row {
  return {
    event: 'cell',
    src: 'lab',
    nb_cell,
    cell_id,
    lines,
    code: null,
    err: null,
    status: 'ok',
    ...outcome
  };
}

/** Row of a `test` event at level `outcomes`, as the page makes it. */
export function test(ex: string, attempt: number, err: string | null): Row {
  return {
    event: 'test',
    src: 'lab',
    ex,
    ok: err === null,
    status:
      err === null ? 'passed' : err === 'AssertionError' ? 'failed' : 'error',
    try: attempt,
    err,
    cell_id: ex
  };
}

/** Row of the `start` event that the kernel package sends. */
export const start = (): Row => ({
  event: 'start',
  src: 'kernel',
  client: 'kernel',
  kernel: expect.stringMatching(/^ipykernel \d/),
  language: expect.stringMatching(/^python 3\.\d/)
});

/**
 * What holds for the common properties of all events: their form, ids, times and counters.
 *
 * @param everything of the same student, what happens around the runs included.
 */
export function checkCommon(
  events: readonly StoredEvent[],
  expected: { student: string; nb: string; version: string },
  everything: readonly StoredEvent[]
): void {
  const uuids = events.map(event => event.uuid);
  expect(new Set(uuids).size).toBe(uuids.length);
  for (const { distinct_id, properties: p, event, timestamp } of events) {
    expect(distinct_id).toBe(expected.student);
    expect(p).toMatchObject({
      student: expected.student,
      nb: expected.nb,
      v: expected.version,
      course: 'demo',
      sess: expect.stringMatching(/^[2-9A-HJ-NP-Za-km-z]{8}$/)
    });
    expect(Math.abs(Date.now() - Date.parse(timestamp))).toBeLessThan(600_000);
    if (event === 'cell') {
      const ran = p['status'] !== 'aborted' && p['status'] !== 'lost';
      expect(p['ms']).toEqual(ran ? expect.any(Number) : null);
    }
    if (event === 'test') {
      expect(p['ms']).toEqual(expect.any(Number));
    }
  }
  checkSeqs(everything);
}

/**
 * No number comes twice, and none is missing without a reason. Before a page is attached
 * both sides report a run, and the relay keeps what comes first: a number that is missing
 * on one side is then an event that came from the other.
 */
function checkSeqs(events: readonly StoredEvent[]): void {
  for (const sess of new Set(events.map(({ properties: p }) => p['sess']))) {
    const of = (src: string, both: boolean) =>
      events
        .filter(({ properties: p }) => p['sess'] === sess && p['src'] === src)
        .filter(({ event }) => !both || event === 'cell' || event === 'test')
        .map(({ properties: p }) => Number(p['seq']));
    for (const [src, other] of [
      ['lab', 'kernel'],
      ['kernel', 'lab']
    ] as const) {
      const seqs = of(src, false);
      expect(new Set(seqs).size).toBe(seqs.length);
      const missing = Math.max(0, ...seqs) - seqs.length;
      expect(missing).toBeLessThanOrEqual(of(other, true).length);
    }
  }
}

/**
 * Compares what arrived with what should have, in any order: events of one moment may
 * overtake each other. `expected` is as the page reports; of what both sides report
 * before the page is attached, the kernel package's copy will do.
 */
export function expectRows(
  events: readonly StoredEvent[],
  expected: readonly Row[]
): void {
  const received = events.map(row).sort(byRun);
  const wanted = [...expected].sort(byRun).map((one, index) =>
    received[index]?.['src'] === 'kernel' && one['src'] === 'lab'
      ? {
          ...one,
          src: 'kernel',
          ...(one['event'] === 'cell' ? { nb_cell: null } : {})
        }
      : one
  );
  expect(received).toEqual(wanted);
}

function byRun(a: Row, b: Row): number {
  const key = (one: Row) =>
    JSON.stringify([
      one['event'],
      one['cell_num'] ?? one['nb_cell'],
      one['try']
    ]);
  return key(a).localeCompare(key(b));
}
