/** Tells a screen reader of passes, gathered so that a busy class does not chatter. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { GridCell } from '../../api/index.js';
import { announcement } from '../model/view.js';

/** How long passes are gathered before they are told, in ms. */
const GATHER_MS = 2_000;

export function Announcer({ news }: { news: readonly GridCell[] }) {
  const [text, setText] = useState('');
  const waiting = useRef<GridCell[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => {
    waiting.current.push(...news);
    if (waiting.current.length > 0 && timer.current === undefined) {
      timer.current = setTimeout(() => {
        timer.current = undefined;
        setText(announcement(waiting.current));
        waiting.current = [];
      }, GATHER_MS);
    }
  }, [news]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <p class="for-readers" aria-live="polite" data-live="passes">
      {text}
    </p>
  );
}
