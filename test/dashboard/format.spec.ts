/** Numbers and times as the page writes them. */
import {
  ago,
  clock,
  count,
  counted,
  share,
  tries
} from '../../src/dashboard/model/format.js';
import { cellDetail, cellWords } from '../../src/dashboard/model/cell.js';
import type { GridCell } from '../../src/api/index.js';

const NOW = Date.parse('2026-11-21T14:05:30Z');
const before = (seconds: number): string =>
  ago(NOW - seconds * 1000, NOW, 'UTC');

describe('numbers', () => {
  it('are grouped by thousands and count things in words', () => {
    expect(count(1234567)).toBe('1,234,567');
    expect(counted(1, 'event')).toBe('1 event');
    expect(counted(0, 'event')).toBe('0 events');
    expect(tries(1)).toBe('1 try');
    expect(tries(1200)).toBe('1,200 tries');
  });

  it('say 100% of everybody alone, and 0% of nobody', () => {
    expect(share(999, 1000)).toBe('99%');
    expect(share(1000, 1000)).toBe('100%');
    expect(share(0, 0)).toBe('0%');
  });
});

describe('times', () => {
  it('are told from now, coarser the longer ago', () => {
    expect(before(0)).toBe('just now');
    expect(before(9.9)).toBe('just now');
    expect(before(10)).toBe('10 s ago');
    expect(before(59)).toBe('50 s ago');
    expect(before(60)).toBe('1 min ago');
    expect(before(3599)).toBe('59 min ago');
    expect(before(3600)).toBe('1 h ago');
    expect(before(86_399)).toBe('23 h ago');
    expect(before(86_400)).toBe('20 Nov, 14:05');
  });

  it('ahead of the clock are just now', () => {
    expect(before(-5000)).toBe('just now');
  });

  it('of another day or year say which', () => {
    const at = (iso: string): string => clock(Date.parse(iso), NOW, 'UTC');
    expect(at('2026-11-21T00:00:00Z')).toBe('00:00');
    expect(at('2026-11-20T23:59:59Z')).toBe('20 Nov, 23:59');
    expect(at('2025-11-21T14:05:30Z')).toBe('21 Nov 2025, 14:05');
  });

  it('follow the zone, not the day in UTC', () => {
    const late = Date.parse('2026-11-20T23:30:00Z');
    expect(clock(late, NOW, 'Europe/Berlin')).toBe('00:30');
  });
});

describe('a cell in words', () => {
  const cell: GridCell = {
    student: 'ADA',
    notebook: 'nb',
    exercise: 'add',
    state: 'failing',
    attempts: 4,
    firstPassAt: null,
    lastAt: '2026-11-21T14:03:00Z',
    lastError: 'ValueError'
  };

  it('says the state, the tries and what went wrong last', () => {
    expect(cellWords(undefined)).toBe('no result yet');
    expect(cellWords(cell)).toBe('not passed, 4 tries, ValueError');
    expect(cellWords({ ...cell, lastError: null })).toBe('not passed, 4 tries');
    expect(cellWords({ ...cell, state: 'passed', attempts: 1 })).toBe(
      'passed, 1 try'
    );
  });

  it('adds when, where there is a result', () => {
    expect(cellDetail(cell, NOW)).toBe(
      'not passed, 4 tries, ValueError, 2 min ago'
    );
    expect(cellDetail(undefined, NOW)).toBe('no result yet');
  });
});
