/** Where the relay that a command is about keeps its things. */
import { existsSync } from 'node:fs';
import { resolveConfig, type ResolvedConfig } from '../relay/config/resolve.js';
import { dataPaths, makeDataFolder, type DataPaths } from '../relay/files.js';
import { CommandError, type Invocation } from './command.js';

type Sources = Pick<Invocation, 'options' | 'env'>;
type Place = ResolvedConfig & { paths: DataPaths };

/**
 * The relay's configuration as flags, environment and file say, and its data folder.
 *
 * @throws CommandError where there is no data folder: a command that made an empty one would act
 *   on nothing and say that all is well.
 */
export async function findPlace(sources: Sources): Promise<Place> {
  const resolved = resolve(sources);
  const paths = dataPaths(resolved.config.data);
  // What `course add` and `relay` make first.
  const made = [paths.courses, paths.address, paths.log];
  if (!made.some(path => existsSync(path))) {
    throw new CommandError(
      `expected a relay's data folder, and ${paths.folder} is none. Name the right one with --data, or begin one with \`course add\`.`
    );
  }
  return { ...resolved, paths };
}

/** The same, with the data folder made where there is none. */
export async function makePlace(sources: Sources): Promise<Place> {
  const resolved = resolve(sources);
  return { ...resolved, paths: await makeDataFolder(resolved.config.data) };
}

function resolve({ options, env }: Sources): ResolvedConfig {
  const { data, config } = options;
  return resolveConfig({ flags: { data, config }, env });
}
