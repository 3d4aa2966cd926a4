/** The shape of PostHog's v1 bodies, turned into that of v0, in which everything is kept. */
import type { Properties } from '../../events/index.js';
import { isObject, type Envelope } from './shapes.js';

/** What a v1 request says beside its body. */
export interface V1Request {
  /** Key of the `Authorization` header. */
  apiKey: string | undefined;
  /** `NAME/VERSION` of the client, from the header `PostHog-Sdk-Info`. */
  sdk: string | undefined;
  /** The client's clock, from the header `PostHog-Request-Timestamp`. */
  sentAt: string | undefined;
}

/** Where v0 has the options and members of an event that v1 puts beside the properties. */
const OPTIONS = {
  cookieless_mode: '$cookieless_mode',
  disable_skew_correction: '$ignore_sent_at',
  process_person_profile: '$process_person_profile',
  product_tour_id: '$product_tour_id'
} as const;
const MEMBERS = { session_id: '$session_id', window_id: '$window_id' } as const;

/** Takes apart `{batch: […]}`; undefined for anything else. */
export function openV1(
  parsed: unknown,
  { apiKey, sdk, sentAt }: V1Request
): Envelope | undefined {
  if (!isObject(parsed) || !Array.isArray(parsed['batch'])) {
    return undefined;
  }
  const lib = libOf(sdk);
  return {
    events: parsed['batch'].map(event => toV0(event, lib)),
    apiKey,
    mixedKeys: false,
    sentAt,
    changed: true
  };
}

function toV0(event: unknown, lib: Properties): unknown {
  if (!isObject(event)) {
    return event;
  }
  const { options, session_id, window_id, properties, ...rest } = event;
  if (properties !== undefined && !isObject(properties)) {
    return event;
  }
  return {
    ...rest,
    properties: {
      ...lib,
      ...properties,
      ...renamed(isObject(options) ? options : {}, OPTIONS),
      ...renamed({ session_id, window_id }, MEMBERS)
    }
  };
}

function renamed(
  from: Properties,
  names: Readonly<Record<string, string>>
): Properties {
  return Object.fromEntries(
    Object.entries(names)
      .filter(([name]) => (from[name] ?? undefined) !== undefined)
      .map(([name, property]) => [property, from[name]])
  );
}

/** The client's name and version as v0 has them among the properties. */
function libOf(sdk: string | undefined): Properties {
  const [, name, version] =
    /^([\w.-]{1,64})\/([\w.+-]{1,64})/.exec(sdk ?? '') ?? [];
  return name === undefined ? {} : { $lib: name, $lib_version: version };
}
