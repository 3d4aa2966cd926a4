/** The class as state of the page: follows a course's stream and keeps time. */
import { useEffect, useState } from 'preact/hooks';
import { follow, type Link } from '../live/follow.js';
import {
  fromSnapshot,
  withChange,
  withoutStale,
  type ClassView
} from '../model/view.js';

/** How often relative times and marks of new passes are looked at again, in ms. */
const TICK_MS = 5_000;

/** The course's view, null until its first snapshot; stays on show while the connection is gone. */
export function useClass(course: string | null): {
  view: ClassView | null;
  link: Link;
} {
  const [view, setView] = useState<ClassView | null>(null);
  const [link, setLink] = useState<Link>({ kind: 'connecting' });
  useEffect(() => {
    setView(null);
    if (course === null) {
      return undefined;
    }
    const stop = follow(course, {
      onSnapshot: snapshot => setView(fromSnapshot(snapshot, Date.now())),
      onChange: change =>
        setView(before => before && withChange(before, change, Date.now())),
      onLink: setLink
    });
    const prune = setInterval(
      () => setView(before => before && withoutStale(before, Date.now())),
      TICK_MS
    );
    return () => {
      stop();
      clearInterval(prune);
    };
  }, [course]);
  return { view, link };
}

/** This machine's clock, in ms, looked at every few seconds. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(tick);
  }, []);
  return now;
}
