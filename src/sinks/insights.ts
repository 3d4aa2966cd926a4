/** The sink behind the instructors' page: folds every course's records in memory and tells listeners what changed. */
import type { Change, Snapshot } from '../api/index.js';
import type { TelemetryRecord } from '../events/types.js';
import { createClassState, type ClassState } from '../insights/index.js';
import type { Sink } from './types.js';

/** What the sink needs to know of courses. */
export interface InsightsSinkOptions {
  /** Title of a course; undefined for one that does not exist. */
  titleOf: (course: string) => string | undefined;
  /** Events of a course that were set aside with a reason. None known by default. */
  setAsideOf?: (course: string) => number;
  /** Told of a listener that threw; the others get their change all the same. */
  onListenerError?: (error: unknown) => void;
  /** Longest time a change waits for company, in ms. 50 by default. */
  coalesceMs?: number;
}

/** A sink that answers. Its state lives in memory: it is fed from the log's start at each start. */
export interface InsightsSink extends Sink {
  /** Everything known of a course; empty for one without events, undefined for one that does not exist. */
  snapshot(course: string): Snapshot | undefined;
  /**
   * Calls back with what changed, at most every `coalesceMs`. Subscribe first and take
   * the snapshot then: what comes in between is told twice, not lost.
   *
   * @returns the unsubscriber; idempotent.
   */
  subscribe(course: string, listener: (change: Change) => void): () => void;
  /** Forgets all of a course, to be fed with it again: any order of records gives the same state. */
  reset(course: string): void;
}

interface CourseView {
  state: ClassState;
  listeners: Set<(change: Change) => void>;
  timer: NodeJS.Timeout | null;
}

/** An insights sink that knows nothing yet. */
export function createInsightsSink(options: InsightsSinkOptions): InsightsSink {
  const { titleOf, setAsideOf = () => 0, coalesceMs = 50 } = options;
  const views = new Map<string, CourseView>();
  let closed = false;

  function viewOf(course: string): CourseView {
    let view = views.get(course);
    if (!view) {
      view = {
        state: createClassState({ course, title: course }),
        listeners: new Set(),
        timer: null
      };
      views.set(course, view);
    }
    return view;
  }

  function schedule(course: string, view: CourseView): void {
    if (view.timer === null && view.listeners.size > 0 && !closed) {
      view.timer = setTimeout(() => tell(course, view), coalesceMs);
      view.timer.unref();
    }
  }

  function tell(course: string, view: CourseView): void {
    view.timer = null;
    const change = view.listeners.size > 0 ? view.state.takeChange() : null;
    if (change === null) {
      return;
    }
    change.coverage.setAside = setAsideOf(course);
    for (const listener of [...view.listeners]) {
      try {
        listener(change);
      } catch (error) {
        options.onListenerError?.(error);
      }
    }
  }

  return {
    name: 'insights',
    maxBatch: 1000,
    deliver: (records: readonly TelemetryRecord[]) => {
      const touched = new Set<string>();
      for (const record of records) {
        if (record.course !== undefined) {
          viewOf(record.course).state.apply(record);
          touched.add(record.course);
        }
      }
      for (const course of touched) {
        schedule(course, viewOf(course));
      }
      return Promise.resolve({ kind: 'ok' });
    },
    snapshot: course => {
      const title = titleOf(course);
      if (title === undefined) {
        return undefined;
      }
      const { state, listeners } = viewOf(course);
      if (listeners.size === 0) {
        state.takeChange(); // Nobody is owed it: the snapshot says it all.
      }
      const snapshot = state.snapshot();
      snapshot.title = title;
      snapshot.coverage.setAside = setAsideOf(course);
      return snapshot;
    },
    subscribe: (course, listener) => {
      const view = viewOf(course);
      // One function may be subscribed twice; each has an end of its own.
      const own = (change: Change): void => listener(change);
      view.listeners.add(own);
      schedule(course, view);
      return () => {
        view.listeners.delete(own);
        if (view.listeners.size === 0 && view.timer !== null) {
          clearTimeout(view.timer);
          view.timer = null;
        }
      };
    },
    reset: course => {
      const view = viewOf(course);
      view.state = createClassState({ course, title: course });
    },
    close: () => {
      closed = true;
      for (const view of views.values()) {
        if (view.timer !== null) {
          clearTimeout(view.timer);
          view.timer = null;
        }
        view.listeners.clear();
      }
      return Promise.resolve();
    }
  };
}
