/** A partition's place: never past a message that has not arrived. */
import fc from 'fast-check';
import { Arrivals } from '../../../src/relay/forward/arrivals.js';
import { Outgoing } from '../../../src/relay/forward/outgoing.js';
import { Room } from '../../../src/relay/forward/room.js';

it('reports only what arrived without a gap before, and in the end all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], {
        minLength: 8,
        maxLength: 8
      }),
      fc.func(fc.boolean()),
      async (order, fails) => {
        const arrivals = new Arrivals();
        const done = new Set<number>();
        let reported = -1;
        let reporting = false;
        const begun = [0, 1, 2, 3, 4, 5, 6, 7].map(n =>
          arrivals.begin(0, async () => {
            expect(reporting).toBe(false);
            reporting = true;
            for (let before = 0; before <= n; before += 1) {
              expect(done.has(before)).toBe(true);
            }
            await Promise.resolve();
            reporting = false;
            if (n < 7 && fails(n)) {
              throw new Error('not now');
            }
            reported = Math.max(reported, n);
          })
        );
        for (const n of order) {
          done.add(n);
          begun[n]!();
          await Promise.resolve();
        }
        await new Promise(resolve => setImmediate(resolve));
        expect(reported).toBe(7);
      }
    ),
    { numRuns: 200 }
  );
});

it('moves a door’s place past whole records alone', () => {
  const moved: number[] = [];
  const outgoing = new Outgoing(({ seq }) => moved.push(seq));
  const receipt = { id: 'd1-1', place: '1' };
  const first = outgoing.add(1, 2, 10);
  const second = outgoing.add(2, 1, 5);
  const third = outgoing.add(3, 0, 0);
  outgoing.arrived(third, null);
  outgoing.arrived(second, receipt);
  outgoing.arrived(first, receipt);
  expect(moved).toEqual([]);
  outgoing.arrived(first, receipt);
  expect(moved).toEqual([1, 2, 3]);
});

it('lets in as much as there is room for, and a longer one alone', async () => {
  const room = new Room(3, 100);
  const inside: string[] = [];
  const enter = async (name: string, bytes: number): Promise<void> => {
    await room.enter(bytes);
    inside.push(name);
  };
  await enter('a', 60);
  void enter('b', 60);
  await Promise.resolve();
  expect(inside).toEqual(['a']);
  room.leave(60);
  await new Promise(resolve => setImmediate(resolve));
  expect(inside).toEqual(['a', 'b']);
  void enter('huge', 500);
  await Promise.resolve();
  expect(inside).toEqual(['a', 'b']);
  room.leave(60);
  await new Promise(resolve => setImmediate(resolve));
  expect(inside).toEqual(['a', 'b', 'huge']);
  room.leave(500);
  await room.empty();
});
