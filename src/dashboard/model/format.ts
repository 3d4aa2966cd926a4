/** Numbers and times as the page writes them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const numbers = new Intl.NumberFormat('en');

/** `12,345`. */
export function count(n: number): string {
  return numbers.format(n);
}

/** `1 student`, `12 students`; the plural is given where an `s` does not make it. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `1 try`, `4 tries`. */
export function tries(n: number): string {
  return counted(n, 'try', 'tries');
}

/** `72%`; rounded down, so that 100% means everybody. */
export function share(part: number, whole: number): string {
  return whole === 0 ? '0%' : `${Math.floor((part / whole) * 100)}%`;
}

/** How long ago `then` was, from a glance's distance; times ahead of `now` are just now. */
export function ago(then: number, now: number, timeZone?: string): string {
  const ms = now - then;
  if (ms < 10 * SECOND) {
    return 'just now';
  }
  if (ms < MINUTE) {
    return `${Math.floor(ms / (10 * SECOND)) * 10} s ago`;
  }
  if (ms < HOUR) {
    return `${Math.floor(ms / MINUTE)} min ago`;
  }
  if (ms < DAY) {
    return `${Math.floor(ms / HOUR)} h ago`;
  }
  return clock(then, now, timeZone);
}

/** `14:05` today, `21 Nov, 14:05` on another day, with the year where that differs. */
export function clock(then: number, now: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const format = (options: Intl.DateTimeFormatOptions, ms: number): string =>
    new Intl.DateTimeFormat('en-GB', { ...options, ...zone }).format(ms);
  const day = { day: 'numeric', month: 'short' } as const;
  const year = { year: 'numeric' } as const;
  const time = format({ hour: '2-digit', minute: '2-digit' }, then);
  const sameYear = format(year, then) === format(year, now);
  const date = format(sameYear ? day : { ...day, ...year }, then);
  return sameYear && date === format(day, now) ? time : `${date}, ${time}`;
}
