/** Who a batch's student is: asked of the Hub once, shared, remembered briefly and by hash only. */
import { describe, expect, it } from '@jest/globals';
import { RelayError } from '../../../src/relay/errors.js';
import {
  HubUnavailableError,
  type HubUser
} from '../../../src/relay/hub/hubApi.js';
import { createStudentCheck } from '../../../src/relay/hub/students.js';

const CLAIMED = {};
const VERIFIED = { students: 'verified' as const };
const TOKEN = 'token-of-ada-0123456789';

const user = (name: string): HubUser => ({
  name,
  groups: [],
  admin: false,
  scopes: []
});

/** A Hub that knows some tokens and counts what it is asked. */
function hubOf(users: Record<string, string>): {
  asked: string[];
  users: Record<string, string>;
  down: boolean;
  userOf: (token: string) => Promise<HubUser | null>;
} {
  return {
    asked: [],
    users,
    down: false,
    async userOf(token) {
      this.asked.push(token);
      await Promise.resolve();
      if (this.down) {
        throw new HubUnavailableError('ECONNREFUSED');
      }
      const name = this.users[token];
      return name === undefined ? null : user(name);
    }
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as RelayError).code;
  }
  throw new Error('expected a refusal');
}

describe('students by the word of the Hub', () => {
  it('gives the name that the Hub says, for a claimed course too', async () => {
    const check = createStudentCheck(hubOf({ [TOKEN]: 'ada' }));
    expect(await check(TOKEN, CLAIMED)).toBe('ada');
    expect(await check(TOKEN, VERIFIED)).toBe('ada');
  });

  it('lets a claim count where no token came or the Hub refuses it, unless the course demands one', async () => {
    const hub = hubOf({});
    const check = createStudentCheck(hub);
    for (const token of [
      undefined,
      TOKEN,
      'short',
      'x'.repeat(2000),
      'töken-0123456789'
    ]) {
      expect(await check(token, CLAIMED)).toBeUndefined();
      expect(await codeOf(check(token, VERIFIED))).toBe('unverified_student');
    }
    // What cannot be a token is not the Hub's burden.
    expect(new Set(hub.asked)).toEqual(new Set([TOKEN]));
  });

  it('asks once for many batches at a time, and again after a minute', async () => {
    let now = 0;
    const hub = hubOf({ [TOKEN]: 'ada' });
    const check = createStudentCheck(hub, { now: () => now });
    const names = await Promise.all(
      Array.from({ length: 50 }, () => check(TOKEN, CLAIMED))
    );
    expect(new Set(names)).toEqual(new Set(['ada']));
    expect(hub.asked).toHaveLength(1);
    now = 59_999;
    await check(TOKEN, CLAIMED);
    expect(hub.asked).toHaveLength(1);
    // Its server has stopped, and the Hub has taken the token back.
    delete hub.users[TOKEN];
    now = 60_000;
    expect(await codeOf(check(TOKEN, VERIFIED))).toBe('unverified_student');
    expect(hub.asked).toHaveLength(2);
  });

  it('remembers a refusal for less long', async () => {
    let now = 0;
    const hub = hubOf({});
    const check = createStudentCheck(hub, { now: () => now });
    await check(TOKEN, CLAIMED);
    hub.users[TOKEN] = 'ada';
    now = 9_999;
    expect(await check(TOKEN, CLAIMED)).toBeUndefined();
    now = 10_000;
    expect(await check(TOKEN, CLAIMED)).toBe('ada');
  });

  it('says "again later" while the Hub is away, and remembers nothing of it', async () => {
    const hub = hubOf({ [TOKEN]: 'ada' });
    hub.down = true;
    const check = createStudentCheck(hub);
    expect(await codeOf(check(TOKEN, CLAIMED))).toBe('hub_unavailable');
    expect(new RelayError('hub_unavailable').status).toBe(503);
    hub.down = false;
    expect(await check(TOKEN, CLAIMED)).toBe('ada');
  });

  it('never asks more at a time than it may, and forgets the oldest of too many', async () => {
    const hub = hubOf({});
    const check = createStudentCheck(hub, { size: 3, atOnce: 4 });
    const token = (n: number): string => `token-number-${n}`;
    const flood = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => check(token(n), CLAIMED))
    );
    expect(
      flood.map(one => one.status).filter(one => one === 'rejected')
    ).toHaveLength(6);
    expect(hub.asked).toHaveLength(4);
    await check(token(3), CLAIMED);
    expect(hub.asked).toHaveLength(4);
    await check(token(0), CLAIMED);
    expect(hub.asked).toHaveLength(5);
  });

  it('keeps a demanding course closed where no Hub is configured', async () => {
    const check = createStudentCheck(null);
    expect(await check(TOKEN, CLAIMED)).toBeUndefined();
    expect(await codeOf(check(TOKEN, VERIFIED))).toBe('hub_unavailable');
  });
});
