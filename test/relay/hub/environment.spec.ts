/** The options that follow from the variables of a JupyterHub, and what wins over them. */
import { describe, expect, it } from '@jest/globals';
import {
  ConfigError,
  describeConfig,
  resolveConfig
} from '../../../src/relay/config/resolve.js';

/** What JupyterHub 3.0.0 sets for a service that it starts. */
const SERVICE = {
  JUPYTERHUB_SERVICE_NAME: 'telemetry',
  JUPYTERHUB_SERVICE_URL: 'http://127.0.0.1:10101',
  JUPYTERHUB_SERVICE_PREFIX: '/base/services/telemetry/',
  JUPYTERHUB_API_URL: 'http://127.0.0.1:8081/base/hub/api',
  JUPYTERHUB_API_TOKEN: 'secret-of-the-service',
  JUPYTERHUB_CLIENT_ID: 'service-telemetry',
  JUPYTERHUB_BASE_URL: '/base/',
  JUPYTERHUB_HOST: '',
  JUPYTERHUB_USER: ''
};

describe('a relay that a Hub starts', () => {
  it('listens where the Hub says, below the prefix that it says', () => {
    const resolved = resolveConfig({ env: SERVICE });
    expect(resolved.config).toMatchObject({
      host: '127.0.0.1',
      port: 10101,
      prefix: '/base/services/telemetry',
      'public-url': null,
      'trusted-proxies': ['127.0.0.1', '::1'],
      'hub-api-url': 'http://127.0.0.1:8081/base/hub/api',
      'hub-token': 'secret-of-the-service',
      'hub-url': '/base',
      'hub-service': 'telemetry',
      'hub-client-id': 'service-telemetry',
      'hub-admins': 'nothing'
    });
    expect(resolved.origin['port']).toBe('JUPYTERHUB_SERVICE_URL');
    expect(describeConfig(resolved).join('\n')).not.toContain('secret-of');
  });

  it('knows its public address from Hubs that say it', () => {
    const { config } = resolveConfig({
      env: {
        ...SERVICE,
        JUPYTERHUB_PUBLIC_URL:
          'https://hub.example.org/base/services/telemetry/'
      }
    });
    expect(config['public-url']).toBe(
      'https://hub.example.org/base/services/telemetry'
    );
  });

  it('takes explicit options before those', () => {
    const { config } = resolveConfig({
      flags: { port: '7000' },
      env: { ...SERVICE, IPYNB_TELEMETRY_HUB_TOKEN: 'another-token' }
    });
    expect(config).toMatchObject({ port: 7000, 'hub-token': 'another-token' });
  });

  it('believes no proxy where others than this machine reach it', () => {
    const { config } = resolveConfig({
      env: { ...SERVICE, JUPYTERHUB_SERVICE_URL: 'http://10.0.0.7:9' }
    });
    expect(config['trusted-proxies']).toEqual([]);
  });

  it('listens to all addresses of an IPv6 machine, too', () => {
    const { config } = resolveConfig({
      env: { ...SERVICE, JUPYTERHUB_SERVICE_URL: 'http://[::1]:9' }
    });
    expect(config.host).toBe('::1');
  });
});

describe('a relay that no Hub starts', () => {
  it('takes nothing from a single-user server in whose terminal it runs', () => {
    const { JUPYTERHUB_SERVICE_NAME: _, ...env } = SERVICE;
    const { config } = resolveConfig({
      env: { ...env, JUPYTERHUB_USER: 'ada' }
    });
    expect(config).toMatchObject({
      port: 7345,
      prefix: null,
      'hub-api-url': null,
      'hub-token': null
    });
  });

  it('knows a Hub by options; the token comes by variable or file, never as a flag', () => {
    const { config } = resolveConfig({
      flags: {
        'hub-api-url': 'https://hub.example.org/hub/api/',
        'hub-url': 'https://hub.example.org/'
      },
      env: { IPYNB_TELEMETRY_HUB_TOKEN: 'secret-of-the-service' }
    });
    expect(config).toMatchObject({
      'hub-api-url': 'https://hub.example.org/hub/api',
      'hub-url': 'https://hub.example.org',
      'hub-token': 'secret-of-the-service'
    });
    let problem: unknown;
    try {
      resolveConfig({ flags: { 'hub-token': 'secret-of-the-service' } });
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(ConfigError);
    expect((problem as Error).message).toContain('IPYNB_TELEMETRY_HUB_TOKEN');
    expect((problem as Error).message).not.toContain('secret-of');
  });

  it.each(['services', '//evil.example', '/a b', '/a?x', '/a#x'])(
    'refuses %p as a prefix',
    given => {
      expect(() => resolveConfig({ flags: { prefix: given } })).toThrow(
        'expected a path such as /services/telemetry'
      );
    }
  );
});
