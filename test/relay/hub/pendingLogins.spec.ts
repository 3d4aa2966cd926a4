/** A log-in at the Hub is one browser's, once, and not for ever. */
import { describe, expect, it } from '@jest/globals';
import {
  LOGIN_MS,
  PendingLogins
} from '../../../src/relay/hub/pendingLogins.js';

describe('a log-in under way', () => {
  it('ends once, and remembers what it was for', () => {
    const pending = new PendingLogins();
    const { state, cookie } = pending.begin(undefined, 'demo');
    expect(pending.end(state, cookie)).toEqual({ course: 'demo' });
    expect(pending.end(state, cookie)).toBeUndefined();
  });

  it('is nobody else’s, and trying takes nothing from its browser', () => {
    const pending = new PendingLogins();
    const { state, cookie } = pending.begin(undefined, undefined);
    const other = pending.begin(undefined, undefined);
    for (const [wrongState, wrongCookie] of [
      [state, undefined],
      [state, ''],
      [state, other.cookie],
      [other.state, cookie],
      [undefined, cookie],
      [['x'], cookie]
    ] as const) {
      expect(pending.end(wrongState, wrongCookie)).toBeUndefined();
    }
    expect(pending.end(state, cookie)).toEqual({ course: undefined });
  });

  it('may be one of several tabs of a browser', () => {
    const pending = new PendingLogins();
    const first = pending.begin(undefined, 'a');
    const second = pending.begin(first.cookie, 'b');
    expect(second.cookie).toBe(first.cookie);
    expect(pending.end(first.state, second.cookie)).toEqual({ course: 'a' });
    expect(pending.end(second.state, second.cookie)).toEqual({ course: 'b' });
  });

  it('takes no cookie that is none of its own', () => {
    const begun = new PendingLogins().begin('x; Path=/', undefined);
    expect(begun.cookie).toMatch(/^[\w-]{32}$/);
  });

  it('is over after ten minutes, and the oldest of too many', () => {
    let now = 0;
    const pending = new PendingLogins(() => now, 2);
    const old = pending.begin(undefined, undefined);
    const late = pending.begin(undefined, undefined);
    const last = pending.begin(undefined, undefined);
    expect(pending.end(old.state, old.cookie)).toBeUndefined();
    expect(pending.end(last.state, last.cookie)).toBeDefined();
    now = LOGIN_MS;
    expect(pending.end(late.state, late.cookie)).toBeUndefined();
  });
});
