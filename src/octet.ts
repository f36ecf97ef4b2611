/**
 * Puts the eight services and the console together in one process. `octet up` and tests use the same door:
 *
 *   await using octet = await startOctet();
 *   const client = new pg.Client(octet.env.DATABASE_URL);
 */
import path from 'node:path';
import { resolveConfig } from './core/config/config.ts';
import { createMemoryFiles } from './core/files/memory-files.ts';
import { systemFiles } from './core/files/system-files.ts';
import type { Host, RunningService, World } from './core/lifecycle.ts';
import type { Endpoint } from './core/net/network.ts';
import { createSystemNetwork } from './core/net/system-network.ts';
import { type LogLevel, type LogSink, Observatory, pinoLog } from './core/observe/observer.ts';
import { systemRandom } from './core/random/system-random.ts';
import { systemClock } from './core/time/system-clock.ts';
import type { HttpServer } from './http/index.ts';
import { startAdmin } from './octet/admin.ts';
import {
  copyStates,
  type NamedState,
  type ServiceBackup,
  type StoredBackup,
  sealBackup,
} from './octet/backup.ts';
import {
  type OctetConfig,
  type OctetInput,
  octetSchema,
  SERVICE_NAMES,
  START_PHASES,
} from './octet/config.ts';
import { refuseInsecure } from './octet/insecure.ts';
import { portOf } from './octet/ports.ts';
import { starters } from './octet/services.ts';
import { hostPort, type OctetEnv, serviceEnv } from './octet/urls.ts';

export interface OctetOptions extends OctetInput {
  /** `ephemeral` (the default) lets the operating system choose every port; `configured` takes the settings'. */
  readonly ports?: 'ephemeral' | 'configured';
  /** Folder that relative paths start from. Default: the current one. */
  readonly baseDir?: string;
  /** Takes log lines. Default: nobody, and nothing is logged. */
  readonly log?: LogSink;
  /** Parts of the outside to replace: a clock that is moved, a network that fails. */
  readonly world?: Partial<World>;
  /** Told as each service is ready. */
  readonly progress?: (service: RunningService) => void;
}

/** Settings that make every port the operating system's choice. */
const EPHEMERAL = {
  adminPort: 0,
  dns: { port: 0 },
  database: { port: 0 },
  cache: { port: 0 },
  queue: { port: 0, managementPort: 0 },
  objects: { port: 0 },
  mail: { port: 0, httpPort: 0 },
  api: { port: 0 },
  balancer: { port: 0, managementPort: 0 },
  console: { port: 0 },
} as const;

/**
 * Starts the services of `options.services` (default: all) and resolves when each answers.
 * Without `dataDir` everything lies in memory and is gone at the end.
 * @throws ConfigError for a setting that is wrong, NetError for a port that is taken, FilesError for a data
 *   folder that another process has; nothing is left running
 */
export async function startOctet(options: OctetOptions = {}): Promise<Octet> {
  const { ports = 'ephemeral', baseDir = process.cwd(), log, world: replaced, progress, ...input } = options;
  const layers = [{ place: 'the options', values: input }];
  if (ports === 'ephemeral') layers.unshift({ place: 'ephemeral ports', values: EPHEMERAL });
  const config = resolveConfig(octetSchema, layers);
  refuseInsecure(config);
  const inMemory = input.dataDir === undefined;
  const world: World = {
    clock: systemClock,
    random: systemRandom,
    files: inMemory ? createMemoryFiles() : systemFiles,
    network: createSystemNetwork(replaced?.clock),
    ...replaced,
  };
  const level: LogLevel = log === undefined ? 'silent' : config.logLevel;
  const observatory = new Observatory(await pinoLog(level, log ?? (() => undefined)));
  const octet = new Octet(config, world, observatory, path.resolve(baseDir, config.dataDir));
  try {
    await octet.start(baseDir, progress);
    return octet;
  } catch (error) {
    await octet.close(0);
    throw error;
  }
}

/** A running Octet. */
export class Octet implements AsyncDisposable {
  readonly config: OctetConfig;
  readonly world: World;
  readonly observatory: Observatory;
  /** Absolute; meaningless when everything lies in memory. */
  readonly dataDir: string;
  readonly startedAtMs: number;
  /** Who knows it may ask the admin address for a backup; new with each start. */
  readonly controlKey: string;
  readonly #services: RunningService[] = [];
  readonly #endpoints = new Map<string, Readonly<Record<string, Endpoint>>>();
  #admin: HttpServer | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: OctetConfig, world: World, observatory: Observatory, dataDir: string) {
    this.config = config;
    this.world = world;
    this.observatory = observatory;
    this.dataDir = dataDir;
    this.startedAtMs = world.clock.now();
    this.controlKey = world.random.bytes(16).toString('hex');
  }

  /** In the order in which they started. */
  get services(): readonly RunningService[] {
    return this.#services;
  }

  /** Connection strings, as `octet env` prints them. */
  get env(): OctetEnv {
    let env: OctetEnv = {};
    for (const service of SERVICE_NAMES)
      env = { ...env, ...serviceEnv(service, this.config, this.#endpoints) };
    return this.#admin === undefined
      ? env
      : { ...env, OCTET_ADMIN_URL: `http://${hostPort(this.#admin.endpoint)}` };
  }

  /** The bound addresses of a service by role, or undefined when it does not run. */
  endpoints(service: string): Readonly<Record<string, Endpoint>> | undefined {
    return this.#endpoints.get(service);
  }

  /** Called by `startOctet` only. */
  async start(baseDir: string, progress: ((service: RunningService) => void) | undefined): Promise<void> {
    const { config, world, observatory } = this;
    this.#admin = await startAdmin({
      host: config.host,
      port: portOf(config, config.adminPort),
      observatory,
      services: () => this.#services,
      world,
      startedAtMs: this.startedAtMs,
      token: config.adminToken,
      copyStates: (to, signal) => this.#copyStates(to, signal),
      controlKey: this.controlKey,
      httpLimits: config.http,
    });
    this.#endpoints.set('admin', { main: this.#admin.endpoint });
    const host = (service: string): Host => ({
      ...world,
      observer: observatory.observer(service),
      folder: path.join(this.dataDir, service),
      storage: config.storage,
    });
    const metricsText = (): Promise<string> => observatory.prometheusText();
    const keep = (service: RunningService): void => {
      this.#services.push(service);
      this.#endpoints.set(service.name, service.endpoints);
      progress?.(service);
    };
    for (const phase of START_PHASES) {
      const starts = phase
        .filter((name) => config.services.includes(name))
        .map((name) =>
          starters[name]({ config, baseDir, endpoints: this.#endpoints, host, keep, metricsText }),
        );
      // All of a phase come to an end before anything is thrown, so that nothing starts after `close`.
      const failure = (await Promise.allSettled(starts)).find((start) => start.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
    }
  }

  /**
   * Backs up what every service holds at the call, while all goes on, to the folder `to` of this machine.
   * @throws BackupError, StoreError, BlobError; there is no backup then
   */
  async backUp(to: string, signal?: AbortSignal): Promise<StoredBackup> {
    const services = await this.#copyStates(to, signal);
    return sealBackup({ ...this.world, files: systemFiles }, to, services);
  }

  #copyStates(to: string, signal: AbortSignal | undefined): Promise<ServiceBackup[]> {
    const states: NamedState[] = [];
    for (const { name, state } of this.#services) {
      if (state !== undefined) states.push({ service: name, state });
    }
    return copyStates(states, systemFiles, to, signal);
  }

  /** Stops in the reverse order of starting; each finishes what is in flight for up to `drainTimeoutMs`. */
  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    const failures: unknown[] = [];
    for (const service of [...this.#services].reverse()) {
      await service.close(drainTimeoutMs).catch((error: unknown) => failures.push(error));
    }
    await this.#admin?.close(0);
    if (failures.length > 0) throw new AggregateError(failures, 'some services did not close cleanly');
  }
}
