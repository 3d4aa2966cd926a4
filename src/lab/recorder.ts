/** Puts the parts together for one page: notebooks → reporter → outbox → Jupyter server. */
import { NotebookActions, type INotebookTracker } from '@jupyterlab/notebook';
import type { ServerConnection } from '@jupyterlab/services';
import type { IStatusBar } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { isCollected } from '../events/collection.js';
import { guarded } from './guard.js';
import { Notebooks } from './notebooks.js';
import { Outbox } from './outbox.js';
import { Reporter } from './reporter.js';
import { Sequence, type KeyValueStorage } from './sequence.js';
import { getCourse, postBatch } from './server.js';
import { StatusItem } from './status.js';
import { MemoryStore } from './store.js';

/** What a recorder works with. */
export interface RecorderOptions {
  serverSettings: ServerConnection.ISettings;
  tracker: INotebookTracker;
  statusBar: IStatusBar | null;
  trans: TranslationBundle;
}

/** Starts recording on this page. Disposing of the result stops it and removes all listeners. */
export function startRecorder(options: RecorderOptions): IDisposable {
  const { serverSettings, tracker, statusBar, trans } = options;
  const status = new StatusItem(trans);

  const outbox = new Outbox({
    store: new MemoryStore(),
    send: (batch, keepalive) => postBatch(serverSettings, batch, keepalive),
    onSettled: events => {
      guarded('acknowledging', () => notebooks.acknowledge(events));
    },
    onChange: refresh,
    warn: message => console.warn(message),
    later
  });
  const reporter = new Reporter({
    outbox,
    sequence: new Sequence(browserStorage()),
    askCourse: () => getCourse(serverSettings),
    onChange: refresh,
    inform: message => console.warn(message),
    later
  });
  const notebooks = new Notebooks({
    tracker,
    actions: NotebookActions,
    made: event => guarded('reporting', () => reporter.report(event)),
    later,
    reports: () => reporter.off === null,
    keeps: () => reporter.off === null,
    collects: name =>
      reporter.course !== null && isCollected(name, reporter.course.events),
    record: () => 'marked',
    student: () => null,
    countsOf: () => ({ made: 0, delivered: 0, dropped: 0 }),
    sentByKernel: () => {},
    persisted: sessionBound()
  });
  notebooks.changed.connect(refresh);

  function refresh(): void {
    guarded('showing the status', () => {
      const state = outbox.state;
      if (state.off !== null) {
        reporter.switchOff(state.off);
      }
      if (reporter.off !== null) {
        notebooks.detach();
      }
      status.present({
        student: notebooks.currentSession?.student ?? null,
        course: reporter.course?.title || reporter.course?.course || null,
        off: reporter.off,
        waiting: state.waiting + reporter.held,
        delivered: state.delivered,
        dropped: state.dropped,
        trouble: state.trouble ?? reporter.trouble
      });
    });
  }

  function onVisibility(): void {
    if (document.visibilityState === 'hidden') {
      guarded('the last batch', () => outbox.flushBeforeHide());
    }
  }
  function onPageHide(event: PageTransitionEvent): void {
    guarded('the last batch', () => {
      outbox.flushBeforeHide();
      if (!event.persisted) {
        notebooks.detach();
      }
    });
  }
  function onOnline(): void {
    guarded('sending', () => outbox.flush());
  }
  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('pagehide', onPageHide);
  window.addEventListener('online', onOnline);

  const item = statusBar?.registerStatusItem('ipynb-telemetry:status', {
    item: status,
    align: 'right',
    rank: 900
  });
  refresh();

  return new DisposableDelegate(() => {
    document.removeEventListener('visibilitychange', onVisibility);
    window.removeEventListener('pagehide', onPageHide);
    window.removeEventListener('online', onOnline);
    outbox.flushBeforeHide();
    notebooks.dispose();
    reporter.dispose();
    outbox.dispose();
    item?.dispose();
    status.dispose();
  });
}

function later(ms: number, action: () => void): () => void {
  const timer = setTimeout(() => guarded('a timer', action), ms);
  return () => clearTimeout(timer);
}

/** `sessionStorage`, or null where the browser forbids it. */
function sessionBound(): KeyValueStorage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

/** `localStorage`, or null where the browser forbids it. */
function browserStorage(): KeyValueStorage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
