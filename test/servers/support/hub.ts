/** Debian's real JupyterHub with the example's configuration: real proxy, real single-user JupyterLab servers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../support/waitFor.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const HUB_ROOT = join(ROOT, '.cache/jupyterhub');
/** The Python of the checkout's own environment. */
export const PYTHON = join(ROOT, '.venv/bin/python');

/** A Hub that runs. */
export interface RunningHub {
  /** Where browsers come: the proxy. */
  readonly url: string;
  readonly apiUrl: string;
  /** Of a service that may do what an administrator may. */
  readonly adminToken: string;
  /** Everything that Hub, proxy, servers and the relay wrote. */
  output(): string;
  /** Asks the Hub's API as an administrator; the answer has to be good. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Starts a user's server and waits for it. Gives a token of the user. */
  startServer(user: string): Promise<void>;
  /** A further token of a user. */
  mintToken(user: string): Promise<{ id: string; token: string }>;
  /** Ends Hub, proxy, servers and relay. */
  stop(): Promise<void>;
}

/** Further configuration in Python, after the example's. */
export async function startHub(options: {
  data: string;
  config?: string;
}): Promise<RunningHub> {
  if (!existsSync(join(HUB_ROOT, '.version'))) {
    throw new Error(
      `${HUB_ROOT} is missing: run \`npm test -- --suite servers\`, which fetches JupyterHub`
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-hub-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = (name: string, line: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${line} "$@"\n`, {
      mode: 0o755
    });
  const node = process.execPath;
  script('ipynb-telemetry', `'${node}' '${ROOT}lib/cli/main.js'`);
  script(
    'configurable-http-proxy',
    `'${node}' '${ROOT}node_modules/configurable-http-proxy/bin/configurable-http-proxy'`
  );
  const [proxy, proxyApi, hubPort, relay] = await freePorts(4);
  const url = `http://127.0.0.1:${proxy}`;
  const apiUrl = `http://127.0.0.1:${hubPort}/hub/api`;
  const adminToken = 'administrators-token-for-tests';
  writeFileSync(
    join(folder, 'config.py'),
    `
c = get_config()
load_subconfig(${JSON.stringify(join(ROOT, 'deploy/jupyterhub/jupyterhub_config.py'))})
share = ${JSON.stringify(join(HUB_ROOT, 'usr/share/jupyterhub'))}
c.JupyterHub.data_files_path = share
c.JupyterHub.template_paths = [share + "/templates"]
c.JupyterHub.bind_url = ${JSON.stringify(url)}
c.JupyterHub.hub_port = ${hubPort}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:${proxyApi}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = ${JSON.stringify(`${folder}/home-{username}`)}
c.Spawner.cmd = [${JSON.stringify(join(ROOT, '.venv/bin/jupyter-labhub'))}]
c.Spawner.args = ["--allow-root", "--ServerApp.log_level=DEBUG"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 60
c.Spawner.environment["JUPYTER_CONFIG_PATH"] = ${JSON.stringify(join(ROOT, 'labextension'))}
c.Spawner.environment["PYTHONPATH"] = ${JSON.stringify(`${join(HUB_ROOT, 'usr/lib/python3/dist-packages')}:${join(ROOT, 'python')}`)}
c.JupyterHub.services.append({"name": "tests", "api_token": "${adminToken}"})
c.JupyterHub.load_roles.append(
    {
        "name": "tests",
        "scopes": ["admin:users", "admin:servers", "admin:server_state", "tokens", "admin:groups"],
        "services": ["tests"],
    }
)
${options.config ?? ''}
`
  );
  const child = spawn(PYTHON, ['-m', 'jupyterhub', '-f', 'config.py'], {
    cwd: folder,
    detached: true, // A group of its own.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...cleanEnvironment(),
      PATH: `${bin}:${process.env['PATH']}`,
      PYTHONPATH: join(HUB_ROOT, 'usr/lib/python3/dist-packages'),
      HOME: folder,
      TELEMETRY_HUB: url,
      TELEMETRY_PORT: String(relay),
      TELEMETRY_DATA: options.data
    }
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const gone = once(child, 'exit');

  async function stop(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await gone;
      clearTimeout(force);
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async function api<T>(
    method: string,
    path: string,
    body?: unknown
  ): Promise<T> {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: { authorization: `token ${adminToken}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
    }
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  try {
    await waitFor(
      () => `the Hub and its relay answer; they wrote: ${output}`,
      async () => {
        if (child.exitCode !== null) {
          throw new Error(`the Hub ended by itself; it wrote: ${output}`);
        }
        return (
          output.includes('JupyterHub is now running') &&
          (await fetch(`${url}/services/telemetry/readyz`)).ok
        );
      },
      40_000
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    apiUrl,
    adminToken,
    output: () => output,
    api,
    async startServer(user) {
      await api('POST', `/users/${user}`).catch(() => undefined);
      await api('POST', `/users/${user}/server`);
      await waitFor(
        () => `the server of ${user} answers; written was: ${output}`,
        async () =>
          (await api<{ server: string | null }>('GET', `/users/${user}`))
            .server !== null,
        60_000
      );
    },
    async mintToken(user) {
      await api('POST', `/users/${user}`).catch(() => undefined);
      return api('POST', `/users/${user}/tokens`, { note: 'a test' });
    },
    stop
  };
}

/** Ports that are free now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    })
  );
  return Promise.all(
    servers.map(async server => {
      const { port } = server.address() as { port: number };
      server.close();
      await once(server, 'close');
      return port;
    })
  );
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(IPYNB_TELEMETRY_|TELEMETRY_|JUPYTER|POSTHOG_|PYTHON|NODE_OPTIONS|CONFIGPROXY)/.test(
          name
        )
    )
  );
}
