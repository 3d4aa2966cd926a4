/** A stand-in for PostHog's persons API: deletes persons at once, and their events when it is told to. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface PersonsStandIn {
  readonly url: string;
  /** Makes persons of these ids. */
  know(...distinctIds: string[]): void;
  /** Ids of the persons that are there. */
  known(): string[];
  /** Carries out the deletions of events. */
  deleteEvents(): void;
  /** Status of every answer from now on; null for the usual ones. */
  fail(status: number | null): void;
  /** Requests so far, `METHOD path`, without the query. */
  requests(): string[];
  stop(): Promise<void>;
}

export async function startPersonsStandIn(
  personalKey: string,
  project: string
): Promise<PersonsStandIn> {
  const persons = new Map<string, string>();
  const status = new Map<string, 'pending' | 'completed'>();
  const seen: string[] = [];
  let failing: number | null = null;
  const base = `/api/projects/${project}/persons/`;

  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url!, 'http://stand-in');
      seen.push(`${request.method} ${url.pathname}`);
      const body = await text(request);
      const send = (code: number, value: object): void => {
        response.writeHead(code, { 'content-type': 'application/json' });
        response.end(JSON.stringify(value));
      };
      if (failing !== null) {
        send(failing, { detail: 'not now' });
      } else if (request.headers.authorization !== `Bearer ${personalKey}`) {
        send(401, { detail: 'Invalid personal API key.' });
      } else if (request.method === 'GET' && url.pathname === base) {
        const id = url.searchParams.get('distinct_id');
        send(200, {
          results: [...persons]
            .filter(([, distinctId]) => distinctId === id)
            .map(([uuid, distinctId]) => ({
              id: uuid,
              uuid,
              distinct_ids: [distinctId]
            }))
        });
      } else if (
        request.method === 'POST' &&
        url.pathname === `${base}bulk_delete/`
      ) {
        const { ids, delete_events } = JSON.parse(body) as {
          ids: string[];
          delete_events: boolean;
        };
        const found = ids.filter(id => persons.delete(id));
        if (delete_events) {
          found.forEach(id => status.set(id, 'pending'));
        }
        send(202, {
          persons_found: found.length,
          persons_deleted: found.length,
          events_queued_for_deletion: delete_events
        });
      } else if (url.pathname === `${base}deletion_status/`) {
        const id = url.searchParams.get('person_uuid') ?? '';
        const now = status.get(id);
        send(200, {
          results: now === undefined ? [] : [{ person_uuid: id, status: now }]
        });
      } else {
        send(404, { detail: 'Not found.' });
      }
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    know: (...ids) => ids.forEach(id => persons.set(randomUUID(), id)),
    known: () => [...persons.values()],
    deleteEvents: () =>
      [...status.keys()].forEach(id => status.set(id, 'completed')),
    fail: code => {
      failing = code;
    },
    requests: () => [...seen],
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  };
}
