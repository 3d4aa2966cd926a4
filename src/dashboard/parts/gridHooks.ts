/** What the grid needs of the browser: how far it is scrolled, whether it is being printed. */
import { options, type RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** The same array as before where its items are the same, so that rows need not be drawn again. */
export function useStable(items: readonly string[]): readonly string[] {
  const kept = useRef(items);
  const before = kept.current;
  if (
    before.length !== items.length ||
    before.some((item, i) => item !== items[i])
  ) {
    kept.current = items;
  }
  return kept.current;
}

/**
 * Scroll position and height of an element in px, the position in steps of `step`, and
 * whether what it holds is no wider than it is.
 */
export function useScroll(
  element: RefObject<HTMLElement>,
  step: number
): { scrollTop: number; height: number; fits: boolean } {
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(800);
  const [fits, setFits] = useState(false);
  useEffect(() => {
    const box = element.current;
    if (!box) {
      return undefined;
    }
    const measure = (): void => {
      setScrollTop(Math.floor(box.scrollTop / step) * step);
      // Grown to its contents, it shows what the window shows.
      setHeight(Math.min(box.clientHeight, innerHeight));
      const content = box.firstElementChild as HTMLElement | null;
      setFits((content?.offsetWidth ?? 0) <= box.clientWidth);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    if (box.firstElementChild) {
      observer.observe(box.firstElementChild);
    }
    box.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener('scroll', measure);
    };
  }, [element, step]);
  return { scrollTop, height, fits };
}

/** Whether the page is being printed: then every row has to be there. */
export function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const before = (): void => drawNow(() => setPrinting(true));
    const after = (): void => setPrinting(false);
    addEventListener('beforeprint', before);
    addEventListener('afterprint', after);
    return () => {
      removeEventListener('beforeprint', before);
      removeEventListener('afterprint', after);
    };
  }, []);
  return printing;
}

/** Draws what `change` changes before it returns: paper waits for no microtask. */
function drawNow(change: () => void): void {
  const usual = options.debounceRendering;
  options.debounceRendering = draw => draw();
  try {
    change();
  } finally {
    options.debounceRendering = usual;
  }
}
