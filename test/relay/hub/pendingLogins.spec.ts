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

  it('is over after ten minutes, by the relay’s clock and not by its state', () => {
    let now = 0;
    const pending = new PendingLogins(() => now);
    const late = pending.begin(undefined, undefined);
    const other = pending.begin(undefined, 'demo');
    now = LOGIN_MS;
    expect(pending.end(late.state, late.cookie)).toBeUndefined();
    now = 1;
    const [nonce, until, course, code] = other.state.split('.');
    for (const forged of [
      [nonce, `${until}0`, course, code],
      [nonce, until, 'b3RoZXI', code],
      [late.state.split('.')[0], until, course, code],
      [nonce, until, course, '0'.repeat(64)],
      [nonce, until, course]
    ]) {
      expect(pending.end(forged.join('.'), other.cookie)).toBeUndefined();
    }
    expect(new PendingLogins(() => now).end(other.state, other.cookie)).toBe(
      undefined
    );
    expect(pending.end(other.state, other.cookie)).toEqual({ course: 'demo' });
  });

  it('is not crowded out by others that are begun or ended', () => {
    const pending = new PendingLogins(() => 0, 10);
    const own = pending.begin(undefined, 'Ä b/c');
    for (let i = 0; i < 1000; i += 1) {
      const other = pending.begin(undefined, undefined);
      if (i % 2 === 0) {
        expect(pending.end(other.state, other.cookie)).toBeDefined();
        expect(pending.end(other.state, other.cookie)).toBeUndefined();
      }
    }
    expect(pending.end(own.state, own.cookie)).toEqual({ course: 'Ä b/c' });
  });
});
