/** The published JSON Schemas, made from the contract. */
import {
  CustomProperties,
  EVENT_NAMES,
  EVENT_PROPERTIES,
  TelemetryRecord,
  WireEvent
} from './schema.js';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** Schema files by name, as they stand in `schema/`. */
export function jsonSchemas(): Record<string, object> {
  const plain = (value: object): object =>
    JSON.parse(JSON.stringify(value)) as object;
  return {
    'telemetry_event_v1.schema.json': {
      $schema: DRAFT,
      title: 'telemetry_event_v1',
      description: 'One event as readers see it: one object a line.',
      ...plain(TelemetryRecord)
    },
    'wire_event.schema.json': {
      $schema: DRAFT,
      title: 'wire_event',
      description:
        'One event on the wire. The properties of a known event follow its own schema.',
      ...plain(WireEvent),
      $defs: Object.fromEntries(
        EVENT_NAMES.map(name => [name, plain(EVENT_PROPERTIES[name])])
      ),
      allOf: EVENT_NAMES.map(name => ({
        if: { properties: { event: { const: name } }, required: ['event'] },
        then: { properties: { properties: { $ref: `#/$defs/${name}` } } }
      }))
    },
    'custom_properties.schema.json': {
      $schema: DRAFT,
      title: 'custom_properties',
      description: "What a custom event's properties must keep to.",
      ...plain(CustomProperties)
    }
  };
}
