/** The doctor: looks at everything that a relay depends on, changes nothing, sends no event. */
import { ConfigError, resolveConfig } from '../config/resolve.js';
import type { ConfigSources, ResolvedConfig } from '../config/resolve.js';
import { callRelay } from '../control/client.js';
import { destinationsOf } from '../destinations.js';
import { dataPaths } from '../files.js';
import type { Readiness } from '../api/readyRoute.js';
import { checkCertificate } from './certificate.js';
import { askSystem, judgeClock } from './clock.js';
import { readCourses } from './courses.js';
import { visit } from './destinations.js';
import { checkLog, judgeStatus } from './eventLog.js';
import { about, type Finding } from './findings.js';
import { checkFolder } from './folder.js';
import { checkHub } from './hub.js';
import { checkPort, judgeNode, judgeReadiness } from './relay.js';

/** Where to look. */
export interface Patient extends ConfigSources {
  /** Asks no destination. */
  offline?: boolean;
}

/** Everything that is found, in the order in which one would look. Rejects only for mistakes of its own. */
export async function examine({
  flags = {},
  env = {},
  offline = false
}: Patient): Promise<Finding[]> {
  const [wall, counter] = [Date.now(), performance.now()];
  const findings: Finding[] = [judgeNode(process.versions.node)];
  const resolved = configOf({ flags, env }, findings);
  if (!resolved) {
    return findings;
  }
  const { config } = resolved;
  const paths = dataPaths(config.data);
  findings.push(
    ...(await checkFolder(config.data, config['disk-reserve-bytes']))
  );
  const { content, findings: ofCourses } = await readCourses(paths.courses);
  findings.push(...ofCourses);
  if (config['tls-cert'] !== null) {
    findings.push(await checkCertificate(config['tls-cert'], Date.now()));
  }

  const readiness = await ask(paths, findings);
  if (readiness?.log) {
    findings.push(...judgeStatus(readiness.log));
  } else if (!readiness) {
    findings.push(await checkPort(config.host, config.port));
    findings.push(...(await checkLog(paths.log, Date.now())));
  }

  findings.push(
    ...(await checkHub(config, content?.courses ?? [], { offline }))
  );

  const destinations = offline
    ? []
    : destinationsOf(
        content?.courses ?? [],
        config['posthog-key'] === null
          ? null
          : { host: config['posthog-host'], apiKey: config['posthog-key'] },
        env
      );
  const visits = await Promise.all(
    destinations.map(async to =>
      to.apiKey === null && isFed(to.name, readiness)
        ? {
            finding: about(to.name).ok(
              'the running relay has its key; this command was not given it'
            ),
            aheadMs: null
          }
        : visit(to)
    )
  );
  findings.push(...visits.map(({ finding }) => finding));
  findings.push(
    ...judgeClock({
      now: Date.now(),
      synchronised: await askSystem(),
      ahead: visits.flatMap(({ aheadMs }, index) =>
        aheadMs === null ? [] : [{ of: destinations[index]!.host, ms: aheadMs }]
      ),
      jumpedMs: Date.now() - wall - (performance.now() - counter)
    })
  );
  return findings;
}

/** The configuration, told as findings; null where not even the data folder is known. */
function configOf(
  sources: ConfigSources,
  findings: Finding[]
): ResolvedConfig | null {
  const configuration = about('configuration');
  try {
    const resolved = resolveConfig(sources);
    const given = Object.values(resolved.origin).filter(
      origin => origin !== 'default'
    );
    findings.push(
      configuration.ok(
        given.length === 0
          ? 'everything has its default'
          : `can be used; given are ${given.join(', ')}`
      )
    );
    return resolved;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    findings.push(
      ...error.problems.map(problem =>
        configuration.problem(
          problem.replace(/\.$/, ''),
          'The relay does not start before this is put right: docs/configuration.md.'
        )
      )
    );
    return null;
  }
}

/** Whether the running relay delivers to the destination. */
function isFed(name: string, readiness: Readiness | undefined): boolean {
  return (
    readiness?.sinks.some(
      sink => sink.name === name && sink.state === 'running'
    ) ?? false
  );
}

/** What the running relay says; undefined where none runs. */
async function ask(
  paths: Parameters<typeof callRelay>[0],
  findings: Finding[]
): Promise<Readiness | undefined> {
  try {
    const answer = await callRelay(paths, 'readiness');
    if (!answer.running) {
      return undefined;
    }
    const readiness = answer.result as Readiness;
    findings.push(...judgeReadiness(readiness));
    return readiness;
  } catch (error) {
    findings.push(
      about('relay').problem(
        (error as Error).message,
        'Run the doctor as the user who runs the relay.'
      )
    );
    return undefined;
  }
}
