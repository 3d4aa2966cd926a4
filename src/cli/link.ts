/** `link`: a new one-time link to the instructors' page. */
import { mintLinkToken } from '../relay/login/links.js';
import { readIfThere } from '../relay/files.js';
import { JSON_OPTION, PLACE_OPTIONS, type Command } from './command.js';
import { findPlace } from './place.js';

export const linkCommand: Command = {
  name: 'link',
  summary: "Print a new link that logs one browser into the instructors' page",
  args: [],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['link', 'link --data /srv/telemetry'],
  async run(invocation) {
    const { options, print } = invocation;
    const { config, paths } = await findPlace(invocation);
    const address = addressIn(await readIfThere(paths.address));
    const url =
      config['public-url'] ??
      address ??
      `http://${config.host}:${config.port || 'PORT'}`;
    const link = `${url}/login?token=${await mintLinkToken(paths.links)}`;
    print(options['json'] === true ? JSON.stringify({ login: link }) : link);
  }
};

/** The address that the relay noted when it started. */
function addressIn(text: string | undefined): string | undefined {
  try {
    const { url } = JSON.parse(text ?? '{}') as { url?: unknown };
    return typeof url === 'string' ? url : undefined;
  } catch {
    return undefined;
  }
}
