/** Everything behind the notebook: a real relay with one course, and a PostHog that answers as the real one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrivacyLevel } from '../../../src/events/types.js';
import {
  startPostHogStandIn,
  type PostHogStandIn,
  type StoredEvent
} from '../../support/posthogStandIn.js';
import {
  addCourse,
  makeDataFolder,
  setCourse,
  startRelay,
  type RelayProcess
} from '../../support/relay.js';
import { waitFor } from '../../support/waitFor.js';

/** How long an event may take from the notebook to PostHog. */
const ARRIVAL_MS = 15_000;
/** Longer than any of our clients waits before it sends: afterwards nothing more comes. */
const QUIET_MS = 1500;

/** Events around the runs, which would make counting them an exercise of its own. */
const AROUND: ReadonlySet<string> = new Set([
  'end',
  'notebook',
  'kernel',
  'focus',
  'edit',
  'consent'
]);

/** In the environment of a server to which nothing of it may be told. */
export const CANARY = 'canary-in-the-environment';

/** A relay with the course `demo`, delivering to a stand-in PostHog. */
export class Classroom {
  /**
   * @param level how much the course collects.
   * @param settings further flags of `course set`.
   * @param env further variables of the Jupyter server.
   */
  static async open(
    level: PrivacyLevel = 'outcomes',
    settings: readonly string[] = [],
    env: Record<string, string> = {}
  ): Promise<Classroom> {
    const { data, remove } = await makeDataFolder();
    const posthog = await startPostHogStandIn();
    try {
      const key = await addCourse(data, 'demo');
      await setCourse(data, 'demo', ['--level', level, ...settings]);
      const relay = await startRelay({
        data,
        posthog: { host: posthog.url, key: 'phc_test' }
      });
      return new Classroom(relay, posthog, key, data, env, remove);
    } catch (error) {
      await posthog.stop();
      await remove();
      throw error;
    }
  }

  private constructor(
    readonly relay: RelayProcess,
    readonly posthog: PostHogStandIn,
    private readonly key: string,
    private readonly data: string,
    private readonly more: Record<string, string>,
    private readonly remove: () => Promise<void>
  ) {}

  /** Changes settings of the course, by the flags of `course set`. */
  set(...settings: string[]): Promise<void> {
    return setCourse(this.data, 'demo', settings);
  }

  /** What a Jupyter server needs to know. */
  get env(): Record<string, string> {
    return {
      ...this.more,
      TELEMETRY_HOST: this.relay.url,
      TELEMETRY_API_KEY: this.key
    };
  }

  /** What PostHog received of a student, in the order it happened: sessions, runs, results, and their own events. */
  of(student: string): StoredEvent[] {
    return this.everything(student).filter(({ event }) => !AROUND.has(event));
  }

  /** The same with what happens around the runs. */
  everything(student: string): StoredEvent[] {
    return this.posthog
      .stored()
      .filter(event => event.properties['student'] === student)
      .sort((a, b) => a.timestamp.localeCompare(b.timestamp));
  }

  /** Waits for that many events of a student, and then to see that no more come. */
  async expect(student: string, count: number): Promise<StoredEvent[]> {
    await this.arrival(
      student,
      () => this.of(student).length >= count,
      `${count} events`
    );
    await sleep(QUIET_MS);
    return this.of(student);
  }

  /** Waits until a student's events are as they should. */
  async arrival(
    student: string,
    enough: (events: StoredEvent[]) => boolean,
    what: string
  ): Promise<StoredEvent[]> {
    await waitFor(
      () => {
        const rows = this.everything(student).map(
          ({ event, properties: p }) =>
            `${event} ${String(p['src'])} ${String(p['status'] ?? p['ok'] ?? '')} ${String(p['cell_id'] ?? '')}`
        );
        return `PostHog has ${what} of ${student}; it has ${rows.length}:\n${rows.join('\n')}`;
      },
      () => enough(this.everything(student)),
      ARRIVAL_MS
    );
    return this.of(student);
  }

  async close(): Promise<void> {
    await this.relay.stop();
    await this.posthog.stop();
    await this.remove();
  }
}
