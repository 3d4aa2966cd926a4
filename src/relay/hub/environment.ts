/** What a JupyterHub tells a service that it starts itself: the options that follow from its variables. */

/** An option's value and the variable it comes from. */
export interface Told {
  value: unknown;
  origin: string;
}

const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

/**
 * Options by name, as the Hub's variables say them; explicit ones win over all of these. Empty
 * unless the Hub started this process as a service: a single-user server has most of the same
 * variables, and a relay that somebody starts in its terminal is none of the Hub's services.
 *
 * @see https://jupyterhub.readthedocs.io/en/stable/reference/services.html
 */
export function toldByHub(
  env: Readonly<Record<string, string | undefined>>
): Map<string, Told> {
  const told = new Map<string, Told>();
  const set = (
    option: string,
    variable: string,
    value = env[variable]
  ): void => {
    if (value !== undefined && value !== '') {
      told.set(option, { value, origin: variable });
    }
  };
  if (!env['JUPYTERHUB_SERVICE_NAME'] || !env['JUPYTERHUB_API_URL']) {
    return told;
  }
  const url = env['JUPYTERHUB_SERVICE_URL'] ?? '';
  if (URL.canParse(url)) {
    const { hostname, port } = new URL(url);
    set('host', 'JUPYTERHUB_SERVICE_URL', hostname.replace(/^\[|\]$/g, ''));
    set('port', 'JUPYTERHUB_SERVICE_URL', port);
    if (LOOPBACK.test(hostname)) {
      // Only the Hub's proxy reaches it from elsewhere; else all students would be one address.
      set('trusted-proxies', 'JUPYTERHUB_SERVICE_URL', '127.0.0.1,::1');
    }
  }
  set('prefix', 'JUPYTERHUB_SERVICE_PREFIX');
  set('public-url', 'JUPYTERHUB_PUBLIC_URL'); // since JupyterHub 5
  set('hub-api-url', 'JUPYTERHUB_API_URL');
  set('hub-token', 'JUPYTERHUB_API_TOKEN');
  set('hub-service', 'JUPYTERHUB_SERVICE_NAME');
  set('hub-client-id', 'JUPYTERHUB_CLIENT_ID');
  // Host and path; only a Hub with a domain for each user names a host.
  const base = env['JUPYTERHUB_BASE_URL'] ?? '/';
  set('hub-url', 'JUPYTERHUB_BASE_URL', (env['JUPYTERHUB_HOST'] ?? '') + base);
  return told;
}
