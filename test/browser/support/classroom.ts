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
  runCli,
  startRelay,
  type RelayProcess
} from '../../support/relay.js';
import { waitFor } from '../../support/waitFor.js';

/** How long an event may take from the notebook to PostHog. */
const ARRIVAL_MS = 15_000;
/** Longer than any of our clients waits before it sends: afterwards nothing more comes. */
const QUIET_MS = 1500;

/** A relay with the course `demo`, delivering to a stand-in PostHog. */
export class Classroom {
  /** @param level how much the course collects. */
  static async open(level: PrivacyLevel = 'outcomes'): Promise<Classroom> {
    const { data, remove } = await makeDataFolder();
    const posthog = await startPostHogStandIn();
    try {
      const key = await addCourse(data, 'demo');
      await runCli('course', 'set', 'demo', '--level', level, '--data', data);
      const relay = await startRelay({
        data,
        posthog: { host: posthog.url, key: 'phc_test' }
      });
      return new Classroom(relay, posthog, key, remove);
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
    private readonly remove: () => Promise<void>
  ) {}

  /** What a Jupyter server needs to know. */
  get env(): Record<string, string> {
    return {
      TELEMETRY_HOST: this.relay.url,
      TELEMETRY_API_KEY: this.key
    };
  }

  /** What PostHog received of a student, in the order it happened. */
  of(student: string): StoredEvent[] {
    return this.posthog
      .stored()
      .filter(event => event.properties['student'] === student)
      .sort((a, b) => a.timestamp.localeCompare(b.timestamp));
  }

  /** Waits for that many events of a student, and then to see that no more come. */
  async expect(student: string, count: number): Promise<StoredEvent[]> {
    await this.arrival(
      student,
      events => events.length >= count,
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
        const rows = this.of(student).map(
          ({ event, properties: p }) =>
            `${event} ${String(p['src'])} ${String(p['status'] ?? p['ok'] ?? '')} ${String(p['cell_id'] ?? '')}`
        );
        return `PostHog has ${what} of ${student}; it has ${rows.length}:\n${rows.join('\n')}`;
      },
      () => enough(this.of(student)),
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
