/** The relay: door, event log, feeders and page put together, started and stopped as one. */
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { SinkStatus } from '../api/index.js';
import { createInsightsSink } from '../sinks/index.js';
import { LiveStreams } from './api/live.js';
import { readStaticFiles } from './api/staticFiles.js';
import { createAdmission } from './auth/admission.js';
import { createLoginLimit } from './auth/limits.js';
import type { Readiness } from './api/readyRoute.js';
import { createApp } from './app.js';
import type { RelayConfig } from './config/options.js';
import { openControlSocket, type ControlSocket } from './control/server.js';
import type { Operations } from './control/control.js';
import type { Course } from './courses/courseFile.js';
import { openCourseStore } from './courses/courseStore.js';
import { wantedBy } from './door/acknowledge.js';
import { createDoor } from './door/door.js';
import { createDuplicateWindow } from './door/duplicates.js';
import { openInbox, type Inbox } from './door/inbox.js';
import { rebuildWindow } from './door/rebuild.js';
import { projectOf } from './destinations.js';
import { traceOf } from './failure.js';
import { startFeeders, type Feeders } from './feeders.js';
import { createFront } from './front.js';
import { feedsSinks, startScaling, type Scaling } from './forward/scaling.js';
import { makeDataFolder, writeFileWhole } from './files.js';
import { watchLog, type WatchedLog } from './health.js';
import { drained, listen, localUrl, prefixOf } from './listener.js';
import { hubOf } from './hub/fromConfig.js';
import { principalNow } from './hub/loginRoutes.js';
import { createStudentCheck } from './hub/students.js';
import { compact } from './log/compact.js';
import { boundsOf, startRetention, type Retention } from './log/retention.js';
import type { EventLog, RecordHeader } from './log/types.js';
import { receivedAt } from './metrics/gauges.js';
import { createMetrics } from './metrics/metrics.js';
import { openStorage, type Storage } from './storage.js';
import { mintLinkToken } from './login/links.js';
import { openSessions } from './login/sessions.js';
import { openAudit } from './privacy/audit.js';
import { startChores } from './privacy/chores.js';
import type { Desk } from './privacy/desk.js';
import { privacyOperations } from './privacy/operations.js';
import { openDesk } from './privacy/place.js';
import { openRuleBook } from './privacy/ruleBook.js';
import type { DeadLetter, DeadLetters } from './pipeline/deadLetters.js';
import { pipelineOperations } from './pipeline/operations.js';
import { replaySinks } from './pipeline/replaySinks.js';
import type { Relay, RelayParts } from './parts.js';
import { createLogger, createReporter } from './reporter.js';
import { VERSION } from './version.js';
import { createWorkerSinks } from './workers/workerSinks.js';

export type { Relay, RelayParts };

/**
 * Starts a relay. Resolves once it takes events.
 *
 * @throws Error that says what to do if the port is taken, the data folder is in use or cannot be
 * used, or its courses cannot be read. Nothing is left running then.
 */
export async function startRelay(
  config: RelayConfig,
  parts: RelayParts = {}
): Promise<Relay> {
  const logger = parts.logger ?? createLogger(config['log-level']);
  const env = parts.env ?? process.env;
  const socket = parts.socket ?? null;
  const paths = await makeDataFolder(config.data);
  const courses = openCourseStore(paths.courses, error =>
    logger.error({ problem: error.message }, 'courses not read again')
  );
  const sessions = await openSessions(paths.sessions);
  const streams = new LiveStreams(parts.live);
  const duplicates = createDuplicateWindow({
    days: config['duplicate-window-days']
  });
  const publicUrl = config['public-url'];
  const prefix =
    config.prefix ?? (publicUrl === null ? '' : prefixOf(publicUrl));
  const hub = hubOf(config, prefix);
  const hubLogin = hub?.login ?? null;
  const secure = publicUrl?.startsWith('https:') ?? config['tls-cert'] !== null;
  const admission = createAdmission({
    trustedProxies: config['trusted-proxies'],
    addressRate: config['address-rate'],
    keyRate: config['key-rate']
  });

  let state: 'starting' | 'open' | 'stopping' = 'starting';
  /** Whether the log is open for the door. */
  let taking = false;
  let log: EventLog | undefined;
  let watched: WatchedLog | undefined;
  let deadLetters: DeadLetters | undefined;
  let feeders: Feeders | undefined;
  let scaling: Scaling | undefined;
  let control: ControlSocket | undefined;
  let storage: Storage | undefined;
  let retention: Retention | undefined;
  let inbox: Inbox | undefined;
  let desk: Desk | undefined;
  let chores: ReturnType<typeof startChores> | undefined;
  const workerSinks = createWorkerSinks();
  const createPostHogSink =
    parts.createPostHogSink ?? workerSinks.createPostHogSink;
  const destination = projectOf(config);

  const insights = createInsightsSink({
    titleOf: id => courses.course(id)?.title,
    setAsideOf: id => deadLetters?.counts().byCourse[id] ?? 0,
    onListenerError: error =>
      logger.error({ problem: String(error) }, 'a reader of the page failed')
  });

  function readiness(): Readiness {
    const problem = watched?.problem() ?? null;
    return {
      status:
        state !== 'open' ? state : problem === null ? 'ready' : 'unavailable',
      version: VERSION,
      log: log
        ? {
            ...log.status(),
            oldest: null,
            heldBy: null,
            ...retention?.status(),
            diskFree: storage?.reserve.free() ?? null,
            writable: problem === null,
            problem
          }
        : null,
      sinks: [...(scaling?.statuses() ?? []), ...(feeders?.statuses() ?? [])]
    };
  }

  /** What commands may ask of this relay while it holds the data folder. */
  const operations: Operations = {
    readiness: () => Promise.resolve(readiness()),
    'log-compact': (args, progress, signal) =>
      compact(log!, retention!, args, progress, signal),
    ...pipelineOperations(() => ({
      log: {
        ...watched!,
        read: from => log!.read(from),
        status: () => log!.status()
      },
      deadLetters: deadLetters!,
      courses,
      duplicates,
      rulesOf: course => rules.rulesOf(course),
      simulated: id => courses.course(id)?.simulated === true,
      sinks: replaySinks({ courses, destination, env, createPostHogSink })
    })),
    ...privacyOperations(() => desk)
  };

  const rules = openRuleBook(paths, error =>
    logger.error({ problem: error.message }, 'a course takes no events')
  );
  const studentOf = createStudentCheck(hub?.api ?? null);
  const reports = createReporter(logger);
  const metrics = createMetrics({
    byCourse: config['metrics-courses'] === 'yes',
    read: () => ({
      ...readiness(),
      deadLetters: deadLetters?.counts().byStage ?? {},
      liveStreams: streams.size,
      receivedAt: seq => receivedAt(log, seq),
      now: Date.now
    })
  });
  const intake = {
    log: {
      append: (header: RecordHeader, body: Uint8Array) =>
        watched!.append(header, body),
      flushed: () => watched!.flushed()
    },
    deadLetters: {
      put: (letters: readonly DeadLetter[]) => deadLetters!.put(letters)
    },
    courses,
    duplicates,
    studentOf,
    rulesOf: (course: Course) => rules.rulesOf(course)
  };
  const door = createDoor({
    ...intake,
    inbox: {
      put: (body, about) => inbox!.put(body, about),
      isWanted: wantedBy(courses)
    },
    bodyLimitBytes: config['body-limit-bytes'],
    decompressedLimitBytes: config['decompressed-limit-bytes'],
    bodyTimeoutMs: config['body-timeout-seconds'] * 1000,
    // While connections are open, what comes over them is taken in as ever.
    state: () => (state === 'stopping' && taking ? 'open' : state),
    onReport: report => {
      metrics.door(report);
      reports.door(report);
    },
    admission
  });
  const audit = openAudit(paths.audit);
  const app = createApp({
    courses,
    audit,
    studentOf,
    desk: () => desk,
    insights,
    sessions,
    streams,
    page: await readStaticFiles(
      parts.pageFolder ??
        fileURLToPath(new URL('../dashboard/', import.meta.url))
    ),
    links: paths.links,
    root: `${prefix}/`,
    prefix,
    publicUrl,
    secure,
    admission,
    failedLogins: createLoginLimit(config['trusted-proxies']),
    hubLogin,
    ...(hubLogin ? { ofHub: principalNow(hubLogin, courses) } : {}),
    onProblem: problem => logger.warn({ problem }, 'log-in by the Hub'),
    readiness,
    ...(config.metrics === 'off'
      ? {}
      : {
          metrics: {
            metrics,
            access: config.metrics,
            byCourse: config['metrics-courses'] === 'yes'
          }
        }),
    onError: (id, error) =>
      logger.error({ id, problem: traceOf(error) }, 'request failed')
  });
  await app.ready();
  const server = await createFront({
    config,
    prefix,
    secure,
    door,
    app: (request, response) => app.routing(request, response),
    metrics,
    isStopping: () => state === 'stopping',
    logger
  });

  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    closing ??= (async () => {
      state = 'stopping';
      streams.closeAll();
      await control?.close();
      await drained(server, socket !== null);
      taking = false;
      await app.close();
      await inbox?.close();
      await chores?.stop();
      await scaling?.stop();
      await feeders?.stop();
      await workerSinks.close();
      await retention?.stop();
      await storage?.close();
      reports.flush();
    })();
    return closing;
  }

  try {
    if (socket === null) {
      await listen(server, { host: config.host, port: config.port });
    }
    storage = await openStorage(config, paths, logger);
    ({ log, watched, deadLetters } = storage);
    const windowMs = config['duplicate-window-days'] * 86_400_000;
    const remembered = await rebuildWindow(
      log,
      duplicates,
      Date.now() - windowMs
    );
    inbox = await openInbox({
      dir: paths.inbox,
      place: paths.inboxPlace,
      guard: raw => watchLog(raw, Date.now, storage!.reserve),
      intake,
      onReceipt: receipt => metrics.judged(receipt),
      onProblem: problem => logger.error({ problem }, 'inbox not judged')
    });
    const onStatus = (status: SinkStatus): void => {
      if (state !== 'stopping') {
        reports.sink(status);
      }
    };
    if (feedsSinks(config)) {
      feeders = await startFeeders({
        log,
        deadLetters,
        courses,
        insights,
        cursors: paths.cursors,
        destination,
        env,
        createPostHogSink,
        onStatus,
        onProblem: message => logger.error({ problem: message }, 'destination')
      });
    }
    scaling = await startScaling({
      config,
      log: {
        ...watched,
        read: from => log!.read(from),
        onDurable: listener => log!.onDurable(listener),
        release: below => log!.release(below),
        status: () => log!.status()
      },
      deadLetters,
      courses,
      duplicates,
      doorId: paths.doorId,
      cursors: paths.cursors,
      onStatus,
      onProblem: message => logger.warn({ problem: message }, 'shared log')
    });
    retention = startRetention({
      log,
      bounds: boundsOf(config),
      lowest: () =>
        Math.min(feeders?.lowest() ?? Infinity, scaling?.lowest() ?? Infinity),
      onReleased: released => logger.info(released, 'old events removed'),
      onHeld: reports.held,
      onError: error =>
        logger.error({ problem: String(error) }, 'old events not removed')
    });
    desk = openDesk({
      paths,
      // What is to be taken out of the log must not come into it afterwards.
      log: {
        read: from => log!.read(from),
        rewrite: async (...how) => {
          await inbox!.empty();
          return log!.rewrite(...how);
        }
      },
      deadLetters,
      courses,
      destination,
      env,
      audit,
      insights,
      onForgotten: () => rules.refresh(),
      // Pages come back at once, and begin with a new snapshot.
      onRefolded: () => streams.closeAll(),
      ...parts.privacy
    });
    chores = startChores(desk, {
      ...parts.privacy,
      onError: (what, error) => logger.error({ problem: String(error) }, what)
    });
    taking = true;
    if (socket !== null) {
      // Not before: who connects waits in the socket instead of being sent away.
      state = 'open';
      await listen(server, { fd: socket });
    }
    const { port, address } = server.address() as AddressInfo;
    const host = socket === null ? config.host : address;
    const local = localUrl(host, port, config['tls-cert'] !== null);
    const url = publicUrl ?? local + prefix;
    control = await openControlSocket(operations, error =>
      logger.error({ problem: String(error) }, 'a command got no answer')
    );
    await writeFileWhole(
      paths.address,
      `${JSON.stringify({ url, pid: process.pid, control: control.path })}\n`
    );
    state = 'open';
    const { last, damaged, tornBytes } = log.status();
    logger.info(
      { version: VERSION, url, remembered, last, damaged, tornBytes },
      'relay is open'
    );
    return {
      url,
      port,
      readiness,
      close,
      loginLink: async () =>
        `${url}/login?token=${await mintLinkToken(paths.links)}`
    };
  } catch (error) {
    await close();
    throw error;
  }
}
