/** `backup` and `restore`: a data folder copied while its relay runs, and brought back. */
import { resolve } from 'node:path';
import {
  backUp,
  restore,
  type BackupProgress
} from '../relay/backup/backup.js';
import { resolveConfig } from '../relay/config/resolve.js';
import { callRelay } from '../relay/control/client.js';
import { bytesOf } from '../relay/doctor/findings.js';
import { dataPaths } from '../relay/files.js';
import { engineIn } from '../relay/log/openLog.js';
import {
  CommandError,
  JSON_OPTION,
  PLACE_OPTIONS,
  type Command,
  type Invocation
} from './command.js';

export const backupCommand: Command = {
  name: 'backup',
  summary: "Copy the relay's data into a new folder, while it runs",
  args: ['folder'],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: [
    'backup /mnt/backup/telemetry-monday',
    'backup /mnt/backup/telemetry-monday --data /srv/telemetry --json'
  ],
  async run(invocation) {
    const { args, options, print } = invocation;
    const data = dataOf(invocation);
    const paths = dataPaths(data);
    if (
      (await engineIn(paths.log)) === 'lmdb' &&
      (await callRelay(paths, 'readiness')).running
    ) {
      throw new CommandError(
        'an event log of the engine lmdb cannot be copied while the relay runs. Stop the relay, then take the backup.'
      );
    }
    const target = resolve(args['folder']!);
    const { files, at } = await backUp(data, target, progressOf(invocation));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    print(
      options['json'] === true
        ? JSON.stringify({ folder: target, at, files: files.length, bytes })
        : `${target} holds everything that was acknowledged before ${at}: ${files.length} files, ${bytesOf(bytes)}. Keep it as closed as the data itself.`
    );
  }
};

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Bring a backup back into a new data folder',
  args: ['folder'],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['restore /mnt/backup/telemetry-monday --data /srv/telemetry-new'],
  async run(invocation) {
    const { args, options, print } = invocation;
    const data = dataOf(invocation);
    const from = resolve(args['folder']!);
    const { files, at } = await restore(from, data, progressOf(invocation));
    print(
      options['json'] === true
        ? JSON.stringify({ data, at, files: files.length })
        : `${data} is as it was at ${at}. Start the relay with --data ${data}. Students who were forgotten after that have to be forgotten again.`
    );
  }
};

/** The data folder that is meant; never made here. */
function dataOf({ options, env }: Pick<Invocation, 'options' | 'env'>): string {
  const { data, config } = options;
  return resolveConfig({ flags: { data, config }, env }).config.data;
}

/** Says every few seconds how far it is. */
function progressOf({ options, warn }: Invocation): BackupProgress {
  let told = performance.now();
  return ({ files, of, bytes }) => {
    if (options['json'] !== true && performance.now() - told > 2_000) {
      told = performance.now();
      warn(`${files} of ${of} files, ${bytesOf(bytes)}`);
    }
  };
}
