/** The event contract: types, builders, ids, names, levels, validation. Runs in browsers and in Node. */
export * from './builders.js';
export * from './collection.js';
export * from './ids.js';
export * from './jsonSchema.js';
export * from './levels.js';
export * from './names.js';
export * from './record.js';
export {
  CELL_STATUSES,
  CHANNELS,
  CommonProperties,
  EVENT_NAMES,
  EVENT_PROPERTIES,
  SCHEMA_VERSION,
  TEST_STATUSES,
  UUID_PATTERN
} from './schema.js';
export * from './telemetryToken.js';
export type * from './types.js';
export * from './validation.js';
