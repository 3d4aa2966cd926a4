/** The desk's questions as operations of the control socket. */
import type { Operations } from '../control/control.js';
import { isObject } from '../wire/shapes.js';
import type { Desk, StudentQuestion } from './desk.js';

/** Operations over a desk that is there once the relay is open. */
export function privacyOperations(desk: () => Desk | undefined): Operations {
  const open = (): Desk => {
    const found = desk();
    if (!found) {
      throw new Error('the relay is starting. Ask again in a moment.');
    }
    return found;
  };
  return {
    'privacy-show': async args => open().show(questionOf(args)),
    'privacy-export': async (args, progress) => {
      await open().export(questionOf(args), progress);
      return null;
    },
    'privacy-forget': async args => open().forget(questionOf(args)),
    'privacy-jobs': async () => {
      await open().step();
      return open().jobs();
    },
    'retention-run': async args => {
      const { dryRun, who } = isObject(args) ? args : {};
      return open().retain(dryRun !== false, textOf(who, 'who'));
    }
  };
}

function questionOf(args: unknown): StudentQuestion {
  const { student, course, who } = isObject(args) ? args : {};
  return {
    student: textOf(student, 'student'),
    who: textOf(who, 'who'),
    ...(course === undefined ? {} : { course: textOf(course, 'course') })
  };
}

function textOf(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw new Error(`${name}: expected text, got a ${typeof value}.`);
  }
  return value;
}
