/** The paths by which events come in, as PostHog has them, and what is particular about each. */

/** What is particular about a path. */
export interface DoorRoute {
  protocol: 'v0' | 'v1';
  methods: readonly string[];
  /** Whether events without a name are updates of persons there. */
  engage: boolean;
}

const V0 = { protocol: 'v0', methods: ['GET', 'POST'], engage: false } as const;
const ROUTES: ReadonlyMap<string, DoorRoute> = new Map<string, DoorRoute>(
  [
    ...['/batch', '/capture', '/e', '/i/v0/e', '/track'].map(
      path => [path, V0] as const
    ),
    ['/engage', { ...V0, engage: true }] as const,
    [
      '/i/v1/analytics/events',
      { protocol: 'v1', methods: ['POST'], engage: false }
    ] as const
  ].flatMap(([path, route]) => [
    [path, route] as const,
    [`${path}/`, route] as const
  ])
);

/** What is particular about `path`; undefined where no events come in there. */
export function doorRoute(path: string): DoorRoute | undefined {
  return ROUTES.get(path);
}
