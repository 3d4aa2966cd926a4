/** The Hub as the configuration has it: whom to ask, and how people log in by it. */
import type { RelayConfig } from '../config/options.js';
import { createHubApi, type HubApi } from './hubApi.js';
import type { HubLogin } from './loginRoutes.js';

/** A Hub that the relay knows. */
export interface Hub {
  api: HubApi;
  /** Null where nobody can log in by it. */
  login: HubLogin | null;
}

/**
 * The Hub; null where none is configured.
 *
 * @param prefix of all routes, without a slash at its end.
 * @throws Error that says which option is missing.
 */
export function hubOf(config: RelayConfig, prefix: string): Hub | null {
  const apiUrl = config['hub-api-url'];
  const token = config['hub-token'];
  const hubUrl = config['hub-url'];
  if (apiUrl === null) {
    return null;
  }
  const api = createHubApi({ apiUrl, token });
  if (token === null || hubUrl === null) {
    return { api, login: null };
  }
  const isPath = !hubUrl.includes('://');
  const publicUrl = config['public-url'];
  if (!isPath && publicUrl === null) {
    throw new Error(
      `hub-url is ${hubUrl}, from where people come back to the relay: expected its own address as public-url, got none.`
    );
  }
  const service = config['hub-service'];
  return {
    api,
    login: {
      api,
      hubUrl,
      clientId: config['hub-client-id'] ?? `service-${service}`,
      redirectUri: `${isPath ? prefix : publicUrl}/oauth_callback`,
      service,
      adminsOperate: config['hub-admins'] === 'operator'
    }
  };
}
