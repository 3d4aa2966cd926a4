/** Faults of ours stay ours. */
import { jest } from '@jest/globals';
import { faultCounts, guarded } from '../../src/lab/guard.js';
import { settle } from './clock.js';

it('counts each fault and says the first of each place', async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  try {
    for (let i = 0; i < 3; i++) {
      guarded('here', () => {
        throw new Error('oops');
      });
      guarded('there', () => Promise.reject(new Error('later')));
    }
    guarded('nowhere', () => undefined);
    await settle();
    expect(faultCounts()).toEqual({ here: 3, there: 3 });
    expect(warn).toHaveBeenCalledTimes(2);
  } finally {
    warn.mockRestore();
  }
});
