/** Tabs tell each other which numbers they gave, so that each knows the next one at any time. */

/** The line between the tabs of one destination. */
export interface NumbersChannel {
  /** `tab` has given the numbers of session `sess` up to `last`. */
  tell(tab: string, sess: string, last: number): void;
  close(): void;
}

/** Joins the tabs of `dest`; null where the browser has no such line. */
export function openChannel(
  dest: string,
  heard: (tab: string, sess: string, last: number) => void
): NumbersChannel | null {
  if (typeof BroadcastChannel === 'undefined') {
    return null;
  }
  const channel = new BroadcastChannel(`ipynb-telemetry numbers ${dest}`);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (Array.isArray(data)) {
      const [tab, sess, last] = data as unknown[];
      if (
        typeof tab === 'string' &&
        typeof sess === 'string' &&
        typeof last === 'number'
      ) {
        heard(tab, sess, last);
      }
    }
  };
  return {
    tell: (...word) => channel.postMessage(word),
    close: () => channel.close()
  };
}
