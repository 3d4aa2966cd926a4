/** Where the relay that a command is about keeps its things. */
import { resolveConfig, type ResolvedConfig } from '../relay/config/resolve.js';
import { makeDataFolder, type DataPaths } from '../relay/files.js';
import type { Invocation } from './command.js';

/** The relay's configuration as flags, environment and file say, and its data folder, made if need be. */
export async function findPlace({
  options,
  env
}: Pick<Invocation, 'options' | 'env'>): Promise<
  ResolvedConfig & { paths: DataPaths }
> {
  const { data, config } = options;
  const resolved = resolveConfig({ flags: { data, config }, env });
  return { ...resolved, paths: await makeDataFolder(resolved.config.data) };
}
