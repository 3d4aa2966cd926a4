/** Who a batch's student is, by the Hub's word: asked once a minute for each token, remembered by hash, in memory only. */
import { createHash } from 'node:crypto';
import type { Course } from '../courses/courseFile.js';
import { RelayError } from '../errors.js';
import { isToken, type HubApi } from './hubApi.js';

/** Header in which a Jupyter server forwards its Hub token; lower case, as Node has it. */
export const HUB_TOKEN_HEADER = 'x-ipynb-telemetry-hub-token';

/**
 * The verified name for a batch; undefined where the events' own claim counts.
 *
 * @throws RelayError `unverified_student` where the course demands a verified one, `hub_unavailable`
 * where it cannot be found out now.
 */
export type StudentCheck = (
  token: string | undefined,
  course: Pick<Course, 'students'>
) => Promise<string | undefined>;

/** How long outcomes hold and how many. */
export interface StudentCheckOptions {
  /** A token the Hub takes back (its server has stopped) works here that long, in ms. */
  knownMs?: number;
  /** The same for one that it refused. */
  refusedMs?: number;
  /** Most outcomes remembered. */
  size?: number;
  /** Most questions to the Hub at a time. */
  atOnce?: number;
  now?: () => number;
}

/** `hub` is null for a relay that knows no Hub. */
export function createStudentCheck(
  hub: Pick<HubApi, 'userOf'> | null,
  {
    knownMs = 60_000,
    refusedMs = 10_000,
    size = 20_000,
    atOnce = 32,
    now = () => performance.now()
  }: StudentCheckOptions = {}
): StudentCheck {
  /** In the order of their making. */
  const outcomes = new Map<string, { name: string | null; until: number }>();
  const asking = new Map<string, Promise<string | null>>();

  function remember(hash: string, name: string | null): void {
    outcomes.delete(hash);
    outcomes.set(hash, { name, until: now() + (name ? knownMs : refusedMs) });
    if (outcomes.size > size) {
      outcomes.delete(outcomes.keys().next().value!);
    }
  }

  async function ask(token: string, hash: string): Promise<string | null> {
    try {
      const name = (await hub!.userOf(token))?.name ?? null;
      remember(hash, name);
      return name;
    } catch (cause) {
      throw new RelayError('hub_unavailable', {}, {}, { cause });
    } finally {
      asking.delete(hash);
    }
  }

  /** The user's name; null for a token that the Hub refuses. */
  function nameOf(token: string): string | null | Promise<string | null> {
    const hash = createHash('sha256').update(token).digest('base64');
    const known = outcomes.get(hash);
    if (known && known.until > now()) {
      return known.name;
    }
    const under = asking.get(hash);
    if (under) {
      return under;
    }
    if (asking.size >= atOnce) {
      // Made-up tokens must not become the Hub's burden.
      throw new RelayError(
        'hub_unavailable',
        {},
        {},
        {
          cause: new Error(`${atOnce} questions to the Hub are under way`)
        }
      );
    }
    const asked = ask(token, hash);
    asking.set(hash, asked);
    return asked;
  }

  return async function studentOf(token, course) {
    const demanded = course.students === 'verified';
    if (hub === null) {
      if (demanded) {
        throw new RelayError(
          'hub_unavailable',
          {},
          {},
          {
            cause: new Error(
              'a course demands verified students, and no Hub is configured (hub-api-url)'
            )
          }
        );
      }
      return undefined;
    }
    const name = isToken(token) ? await nameOf(token) : null;
    if (name === null && demanded) {
      throw new RelayError('unverified_student', {
        given: token === undefined ? 'none' : 'one that the Hub refuses'
      });
    }
    return name ?? undefined;
  };
}
