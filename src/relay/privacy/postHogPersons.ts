/** Deletes persons with their events from a PostHog project, by its management API, and asks whether it is done. */

/** A project, and the key that may change it. */
export interface PersonsOptions {
  /** Address of the app, `https://eu.posthog.com`; events go to another one. */
  host: string;
  project: string;
  /** Personal key with the scope person:write. */
  personalKey: string;
  timeoutMs?: number;
}

/** PostHog's ids of persons. */
export interface PostHogPersons {
  /** Persons that have one of the distinct ids. */
  find(distinctIds: readonly string[]): Promise<string[]>;
  /** Asks for the persons and all their events to be deleted; events follow later. */
  remove(persons: readonly string[]): Promise<void>;
  /** Whether the deletion of all of them is done, persons and events. */
  areGone(persons: readonly string[]): Promise<boolean>;
}

/** Raised when PostHog did not do what it was asked; the message is for the operator and names no student. */
export class PostHogError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PostHogError';
  }
}

/** Persons that one request may delete. */
const MAX_PERSONS = 1000;

/** The app's address of a PostHog whose events go to `host`: PostHog's cloud has two. */
export function appHostOf(host: string): string {
  return host
    .replace(/\/+$/, '')
    .replace(/^(https:\/\/[a-z]+)\.i\.posthog\.com$/, '$1.posthog.com');
}

/** A client of the management API. */
export function createPostHogPersons({
  host,
  project,
  personalKey,
  timeoutMs = 15_000
}: PersonsOptions): PostHogPersons {
  const base = `${host}/api/projects/${encodeURIComponent(project)}/persons/`;

  async function ask(
    path: string,
    method: 'GET' | 'POST',
    body?: object
  ): Promise<Record<string, unknown>> {
    let response: Response;
    try {
      response = await fetch(base + path, {
        method,
        headers: {
          authorization: `Bearer ${personalKey}`,
          ...(body ? { 'content-type': 'application/json' } : {})
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs)
      });
    } catch (cause) {
      throw new PostHogError('PostHog cannot be reached; tried again later.', {
        cause
      });
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new PostHogError(
        response.status === 401 || response.status === 403
          ? `PostHog refused the personal key (${response.status}). It needs the scopes person:read and person:write for project ${project}.`
          : `PostHog answered ${response.status}; tried again later.`
      );
    }
    try {
      return (await response.json()) as Record<string, unknown>;
    } catch (cause) {
      throw new PostHogError('PostHog answered something else than JSON.', {
        cause
      });
    }
  }

  return {
    async find(distinctIds) {
      const found = new Set<string>();
      for (const id of distinctIds) {
        const query = new URLSearchParams({ distinct_id: id });
        for (const row of rowsOf(await ask(`?${query}`, 'GET'))) {
          const uuid = row['uuid'] ?? row['id'];
          if (typeof uuid === 'string') {
            found.add(uuid);
          }
        }
      }
      return [...found];
    },
    async remove(persons) {
      for (let at = 0; at < persons.length; at += MAX_PERSONS) {
        await ask('bulk_delete/', 'POST', {
          ids: persons.slice(at, at + MAX_PERSONS),
          delete_events: true,
          delete_recordings: true,
          keep_person: false
        });
      }
    },
    async areGone(persons) {
      for (const person of persons) {
        const query = new URLSearchParams({ person_uuid: person });
        const rows = rowsOf(await ask(`deletion_status/?${query}`, 'GET'));
        if (rows.length === 0 || !rows.every(isDone)) {
          return false;
        }
      }
      return true;
    }
  };
}

function rowsOf(answer: Record<string, unknown>): Record<string, unknown>[] {
  const { results } = answer;
  if (!Array.isArray(results)) {
    throw new PostHogError('PostHog answered without a list of results.');
  }
  return results as Record<string, unknown>[];
}

function isDone({ status }: Record<string, unknown>): boolean {
  return status === 'completed';
}
