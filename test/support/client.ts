/** A client as real ones are: it keeps what was not answered 200 and sends it again under the same ids. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 } from 'uuid';
import {
  buildEvent,
  type Properties,
  type WireEvent
} from '../../src/events/index.js';

/** `count` events of one student's session, `seq` counting from `firstSeq`. */
export function makeEvents(
  count: number,
  student = 'JOHN-DOE',
  firstSeq = 1,
  more: Properties = {}
): WireEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const event = buildEvent(
      'cell',
      { nb: 'intro', sess: 'aB3dE5gH', student, v: '0.1.0', src: 'kernel' },
      { at: new Date(), uuid: v7(), seq: firstSeq + index },
      {
        cell_id: 'mean',
        cell_num: firstSeq + index,
        code: null,
        status: 'ok',
        ms: 3,
        err: null,
        count: 1,
        lines: 1
      }
    );
    Object.assign(event.properties, more);
    return event;
  });
}

/** Posts one batch once. */
export function postBatch(
  url: string,
  key: string,
  events: readonly unknown[]
): Promise<Response> {
  return fetch(`${url}/batch/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      api_key: key,
      batch: events,
      sent_at: new Date().toISOString()
    })
  });
}

/** Posts one batch until it is answered 200 or `isOver`; tells whether it was. */
export async function postUntilTaken(
  urlNow: () => string,
  key: string,
  events: readonly unknown[],
  isOver: () => boolean = () => false
): Promise<boolean> {
  while (!isOver()) {
    try {
      const response = await postBatch(urlNow(), key, events);
      const text = await response.text();
      if (response.status === 200) {
        return true;
      }
      if (response.status < 500) {
        throw new TypeError(`the relay answered ${response.status}: ${text}`);
      }
    } catch (error) {
      if (error instanceof TypeError && /answered/.test(error.message)) {
        throw error;
      }
    }
    await sleep(25);
  }
  return false;
}
