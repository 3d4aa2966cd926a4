/** The relay as a library: start one in a process of your own. */
export { ConfigError, resolveConfig } from './config/resolve.js';
export type { ConfigSources, ResolvedConfig } from './config/resolve.js';
export type { RelayConfig } from './config/options.js';
export { startRelay, type Relay, type RelayParts } from './relay.js';
export { ERRORS, type ErrorCode } from './errors.js';
