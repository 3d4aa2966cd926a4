/** The stand-in PostHog for tests in TypeScript. */
export {
  startPostHogStandIn,
  type Behaviour,
  type PostHogStandIn,
  type RequestSeen,
  type StandInOptions,
  type StoredEvent
} from './posthog-stand-in.mjs';
