/** Destinations of the event log. */
export {
  createInsightsSink,
  type InsightsSink,
  type InsightsSinkOptions
} from './insights.js';
export { isRefusedHost } from './linkLocal.js';
export {
  createMemorySink,
  type MemorySink,
  type MemorySinkOptions
} from './memory.js';
export { createPostHogSink, type PostHogSinkOptions } from './posthog.js';
export { separateEqualTimes } from './posthogEvent.js';
export type { Outcome, Sink } from './types.js';
