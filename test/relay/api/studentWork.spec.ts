/** Students' questions wait for each other, and none makes the others fail. */
import {
  createStudentWork,
  STUDENT_DELETIONS
} from '../../../src/relay/api/studentWork.js';

const ada = { course: 'demo', student: 'ADA' };
const grace = { course: 'demo', student: 'GRACE' };
const yes = (): boolean => true;

it('does one after another, and nothing for whom has gone', async () => {
  const inTurn = createStudentWork();
  const order: string[] = [];
  let open = (): void => undefined;
  const gate = new Promise<void>(resolve => (open = resolve));
  const first = inTurn('read', ada, yes, async () => {
    order.push('first begins');
    await gate;
    order.push('first ends');
    throw new Error('no disk');
  });
  let isThere = true;
  const gone = inTurn(
    'read',
    grace,
    () => isThere,
    () => Promise.resolve(order.push('gone'))
  );
  const last = inTurn('delete', ada, yes, () => {
    order.push('last');
    return Promise.resolve('done');
  });
  isThere = false;
  open();
  await expect(first).rejects.toThrow('no disk');
  expect([await gone, await last]).toEqual([undefined, 'done']);
  expect(order).toEqual(['first begins', 'first ends', 'last']);
});

it('limits each student of each course by themselves, before anything is read', async () => {
  const inTurn = createStudentWork();
  let done = 0;
  const remove = (whose: typeof ada): Promise<unknown> =>
    inTurn('delete', whose, yes, () => Promise.resolve((done += 1)));
  for (let i = 0; i < STUDENT_DELETIONS; i += 1) {
    await remove(ada);
  }
  await expect(remove(ada)).rejects.toMatchObject({ code: 'rate_limited' });
  expect(done).toBe(STUDENT_DELETIONS);
  await remove(grace);
  await remove({ ...ada, course: 'other' });
  expect(done).toBe(STUDENT_DELETIONS + 2);
});
