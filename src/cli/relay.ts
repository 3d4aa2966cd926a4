/** `relay`: runs the relay until it is told to stop. */
import { OPTIONS, OPTION_NAMES, variableOf } from '../relay/config/options.js';
import { describeConfig, resolveConfig } from '../relay/config/resolve.js';
import { passedSocket } from '../relay/listener.js';
import type { Relay } from '../relay/relay.js';
import {
  JSON_OPTION,
  PLACE_OPTIONS,
  type Command,
  type CommandOption
} from './command.js';

export const relayCommand: Command = {
  name: 'relay',
  summary: 'Take events in, keep them, pass them on and show the page',
  args: [],
  options: {
    ...Object.fromEntries(
      OPTION_NAMES.filter(name => !OPTIONS[name].flagless).map(
        (name): [string, CommandOption] => {
          const { kind, meaning, defaultText, default: value } = OPTIONS[name];
          return [
            name,
            {
              value: kind.placeholder,
              meaning: `${meaning} Default: ${defaultText ?? String(value())}. (${variableOf(name)})`
            }
          ];
        }
      )
    ),
    config: PLACE_OPTIONS.config,
    json: JSON_OPTION.json
  },
  examples: [
    'relay',
    'relay --port 8000 --data /srv/telemetry',
    'relay --config /etc/ipynb-telemetry.toml'
  ],
  async run({ options, env, print }) {
    const { json, ...flags } = options;
    const resolved = resolveConfig({ flags, env });
    const signals = catchSignals();
    // The servers' packages take longer to load than all other commands together need.
    const { startRelay } = await import('../relay/relay.js');
    const relay = await startRelay(resolved.config, {
      env,
      socket: passedSocket(env, process.pid)
    });
    // A Hub keeps what its services print, and its instructors log in with it.
    const byHub = resolved.origin['hub-token'] === 'JUPYTERHUB_API_TOKEN';
    const link = byHub ? null : await relay.loginLink();
    if (json === true) {
      print(
        JSON.stringify({
          url: relay.url,
          port: relay.port,
          login: link,
          data: resolved.config.data,
          pid: process.pid
        })
      );
    } else {
      describeConfig(resolved).forEach(line => print(`  ${line}`));
      print('');
      print(`Events go to   ${relay.url}`);
      if (link === null) {
        print(`Instructors:   log in with JupyterHub at ${relay.url}/login`);
      } else {
        print(`Instructors:   ${link}`);
        print('The link logs one browser in. Ctrl-C stops the relay.');
      }
    }
    await stopOn(signals, relay);
  }
};

interface Signals {
  first: Promise<NodeJS.Signals>;
}

/** The first signal asks for a graceful stop; the second one ends the process at once. */
function catchSignals(): Signals {
  let asked = false;
  return {
    first: new Promise(resolve => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.on(signal, () => {
          if (asked) {
            process.exit(signal === 'SIGINT' ? 130 : 143);
          }
          asked = true;
          resolve(signal);
        });
      }
    })
  };
}

async function stopOn({ first }: Signals, relay: Relay): Promise<void> {
  await first;
  await relay.close();
}
