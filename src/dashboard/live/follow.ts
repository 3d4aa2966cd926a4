/** Follows a course's stream for as long as it is wanted, whatever happens to the connection. */
import type { Change, Snapshot } from '../../api/index.js';
import {
  fetchCourses,
  liveUrl,
  readChange,
  readSnapshot,
  type CoursesAnswer
} from './api.js';

/** How the page stands with the relay. Times are this machine's, in ms. */
export type Link =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'reconnecting'; since: number }
  | { kind: 'signed-out' };

export interface Follower {
  onSnapshot: (snapshot: Snapshot) => void;
  onChange: (change: Change) => void;
  onLink: (link: Link) => void;
}

/** What following needs of the browser; tests hand in their own. */
export interface FollowHost {
  open: (url: string) => EventSource;
  probe: () => Promise<CoursesAnswer>;
  now: () => number;
  /** Pause before a new attempt where the browser makes none by itself, in ms. */
  retryMs: number;
  /** Silence after which a connection counts as dead, in ms. The relay says something every 15 s. */
  silenceMs: number;
}

const browser: FollowHost = {
  open: url => new EventSource(url),
  probe: fetchCourses,
  now: Date.now,
  retryMs: 3_000,
  silenceMs: 40_000
};

/** Starts following; returns what stops it. */
export function follow(
  course: string,
  follower: Follower,
  host: FollowHost = browser
): () => void {
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let lostAt: number | null = null;
  let stopped = false;

  function open(): void {
    close();
    const own = host.open(liveUrl(course));
    source = own;
    own.addEventListener('snapshot', message => {
      const snapshot = readSnapshot(textOf(message));
      if (snapshot) {
        lostAt = null;
        follower.onSnapshot(snapshot);
        follower.onLink({ kind: 'live' });
      }
    });
    own.addEventListener('change', message => {
      const change = readChange(textOf(message));
      if (change) {
        follower.onChange(change);
      }
    });
    own.addEventListener('ping', listen);
    own.addEventListener('error', () => {
      clearTimeout(watchdog);
      lost();
      // The browser comes back by itself unless the answer was not a stream at all.
      if (own.readyState === own.CLOSED) {
        void comeBack();
      }
    });
  }

  /**
   * A laptop that slept, or a proxy that forgot us, leaves a connection that never errs.
   * Armed by the first ping, so that a relay that sends none is not taken for dead.
   */
  function listen(): void {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      lost();
      open();
    }, host.silenceMs);
  }

  function lost(): void {
    lostAt ??= host.now();
    follower.onLink({ kind: 'reconnecting', since: lostAt });
  }

  async function comeBack(): Promise<void> {
    const answer = await host.probe();
    if (stopped) {
      return;
    }
    if (answer.kind === 'signed-out') {
      follower.onLink({ kind: 'signed-out' });
    }
    clearTimeout(retry);
    retry = setTimeout(() => {
      if (answer.kind === 'ok') {
        open();
      } else {
        void comeBack();
      }
    }, host.retryMs);
  }

  function close(): void {
    clearTimeout(watchdog);
    source?.close();
    source = null;
  }

  follower.onLink({ kind: 'connecting' });
  open();
  return () => {
    stopped = true;
    clearTimeout(retry);
    close();
  };
}

function textOf(message: Event): string {
  return message instanceof MessageEvent && typeof message.data === 'string'
    ? message.data
    : '';
}
