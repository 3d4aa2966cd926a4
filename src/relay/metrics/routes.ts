/** The classes of routes that requests are counted by: few, so that nobody's addresses make new series. */

/** First match wins; everything else is a file of the page, or nothing. */
const CLASSES: readonly (readonly [prefix: string, route: string])[] = [
  ['/healthz', 'health'],
  ['/readyz', 'health'],
  ['/metrics', 'metrics'],
  ['/api/v1/course', 'course'],
  ['/api/v1/live', 'live'],
  ['/api/', 'api'],
  ['/login', 'login'],
  ['/logout', 'login'],
  ['/oauth', 'login'],
  ['/flags', 'client'],
  ['/decide', 'client'],
  ['/array/', 'client'],
  ['/static/', 'client']
];

/** The class of a path below the prefix, without its query. */
export function routeOf(path: string): string {
  const found = CLASSES.find(
    ([prefix]) =>
      path === prefix ||
      path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
  );
  return found?.[1] ?? 'page';
}
