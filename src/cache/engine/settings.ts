/**
 * What CONFIG GET shows and CONFIG SET changes. Three kinds:
 *
 *   live    has effect here and may be changed
 *   fixed   has effect here and was decided at the start, or is a fact (`appendonly no`)
 *   inert   belongs to something this server has no use for (fork, jemalloc, Lua ...); it can be read, and set
 *           to the value it has, so that tools which set everything go on; another value is refused
 */
import { failure } from '../errors.ts';
import {
  MAX_STRING_BYTES,
  PUBSUB_OUTPUT_HARD_BYTES,
  PUBSUB_OUTPUT_SOFT_BYTES,
  PUBSUB_OUTPUT_SOFT_MS,
} from '../limits.ts';
import { EVICTION_POLICIES, type EvictionPolicy } from './eviction.ts';
import { parseEventFlags } from './notifications.ts';
import { parseInteger } from './numbers.ts';
import type { EncodingLimits } from './values/encoding-limits.ts';

export interface Settings {
  maxmemoryBytes: number;
  maxmemoryPolicy: EvictionPolicy;
  maxmemorySamples: number;
  lfuLogFactor: number;
  lfuDecayMinutes: number;
  /** Letters of event classes; empty when nobody wants events. */
  notifyEvents: string;
  /** Microseconds; negative: never. */
  slowlogThresholdUs: number;
  slowlogLength: number;
  /** Seconds after which an idle client is closed; 0: never. */
  idleTimeoutSeconds: number;
  maxClients: number;
  pubsubHardBytes: number;
  pubsubSoftBytes: number;
  pubsubSoftMs: number;
}

export const DEFAULT_SETTINGS: Readonly<Settings> = {
  maxmemoryBytes: 0,
  maxmemoryPolicy: 'noeviction',
  maxmemorySamples: 5,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  notifyEvents: '',
  slowlogThresholdUs: 10_000,
  slowlogLength: 128,
  idleTimeoutSeconds: 0,
  maxClients: 10_000,
  pubsubHardBytes: PUBSUB_OUTPUT_HARD_BYTES,
  pubsubSoftBytes: PUBSUB_OUTPUT_SOFT_BYTES,
  pubsubSoftMs: PUBSUB_OUTPUT_SOFT_MS,
};

export interface Parameter {
  read(): string;
  /** Absent when it cannot be changed. @throws CacheError */
  write?(text: string): void;
}

/** All parameters by name, over the live objects that hold their values. */
export function parametersOf(
  settings: Settings,
  encodings: EncodingLimits,
  facts: Readonly<Record<string, string>>,
): Map<string, Parameter> {
  const parameters = new Map<string, Parameter>();
  for (const [name, text] of Object.entries({ ...INERT, ...facts }))
    parameters.set(name, { read: () => text });
  const whole = (name: string, key: NumberKey, min = 0, max = Number.MAX_SAFE_INTEGER): void => {
    parameters.set(name, {
      read: () => String(settings[key]),
      write: (text) => {
        settings[key] = wholeNumber(text, min, max);
      },
    });
  };
  whole('maxmemory-samples', 'maxmemorySamples', 1, 64);
  whole('lfu-log-factor', 'lfuLogFactor');
  whole('lfu-decay-time', 'lfuDecayMinutes');
  whole('slowlog-log-slower-than', 'slowlogThresholdUs', -1);
  whole('slowlog-max-len', 'slowlogLength', 0, 100_000);
  whole('timeout', 'idleTimeoutSeconds', 0, 2 ** 31 - 1);
  whole('maxclients', 'maxClients', 1, 1_000_000);
  parameters.set('maxmemory', {
    read: () => String(settings.maxmemoryBytes),
    write: (text) => {
      settings.maxmemoryBytes = memorySize(text);
    },
  });
  parameters.set('maxmemory-policy', policyParameter(settings));
  parameters.set('notify-keyspace-events', {
    read: () => settings.notifyEvents,
    write: (text) => {
      settings.notifyEvents = parseEventFlags(text);
    },
  });
  parameters.set('client-output-buffer-limit', outputLimits(settings));
  for (const [name, key] of Object.entries(ENCODING_PARAMETERS)) {
    const min = key === 'listMaxListpackSize' ? -5 : 0;
    parameters.set(name, {
      read: () => String(encodings[key]),
      write: (text) => {
        encodings[key] = wholeNumber(text, min, Number.MAX_SAFE_INTEGER);
      },
    });
  }
  return parameters;
}

type NumberKey = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];

/** Newer name and the older one that clients still use. */
const ENCODING_PARAMETERS: Readonly<Record<string, keyof EncodingLimits>> = {
  'hash-max-listpack-entries': 'hashMaxListpackEntries',
  'hash-max-ziplist-entries': 'hashMaxListpackEntries',
  'hash-max-listpack-value': 'hashMaxListpackValue',
  'hash-max-ziplist-value': 'hashMaxListpackValue',
  'list-max-listpack-size': 'listMaxListpackSize',
  'list-max-ziplist-size': 'listMaxListpackSize',
  'set-max-intset-entries': 'setMaxIntsetEntries',
  'set-max-listpack-entries': 'setMaxListpackEntries',
  'set-max-listpack-value': 'setMaxListpackValue',
  'zset-max-listpack-entries': 'zsetMaxListpackEntries',
  'zset-max-ziplist-entries': 'zsetMaxListpackEntries',
  'zset-max-listpack-value': 'zsetMaxListpackValue',
  'zset-max-ziplist-value': 'zsetMaxListpackValue',
};

/** Facts, and parameters of machinery that does not exist here. */
const INERT: Readonly<Record<string, string>> = {
  appendonly: 'no',
  appendfsync: 'everysec',
  'auto-aof-rewrite-percentage': '100',
  'auto-aof-rewrite-min-size': '67108864',
  'no-appendfsync-on-rewrite': 'no',
  'aof-load-truncated': 'yes',
  'aof-use-rdb-preamble': 'yes',
  save: '',
  dir: '',
  dbfilename: '',
  rdbcompression: 'yes',
  rdbchecksum: 'yes',
  'stop-writes-on-bgsave-error': 'yes',
  daemonize: 'no',
  supervised: 'no',
  logfile: '',
  loglevel: 'notice',
  requirepass: '',
  masterauth: '',
  'protected-mode': 'yes',
  'tcp-backlog': '511',
  'tcp-keepalive': '300',
  hz: '10',
  'dynamic-hz': 'yes',
  activerehashing: 'yes',
  activedefrag: 'no',
  'active-expire-effort': '1',
  'lazyfree-lazy-eviction': 'no',
  'lazyfree-lazy-expire': 'no',
  'lazyfree-lazy-server-del': 'no',
  'lazyfree-lazy-user-del': 'no',
  'lazyfree-lazy-user-flush': 'no',
  'replica-serve-stale-data': 'yes',
  'replica-read-only': 'yes',
  'repl-backlog-size': '1048576',
  'min-replicas-to-write': '0',
  'cluster-enabled': 'no',
  'lua-time-limit': '5000',
  'busy-reply-threshold': '5000',
  'list-compress-depth': '0',
  'hll-sparse-max-bytes': '3000',
  'stream-node-max-bytes': '4096',
  'stream-node-max-entries': '100',
  'latency-monitor-threshold': '0',
  'latency-tracking': 'no',
  'maxmemory-clients': '0',
  'maxmemory-eviction-tenacity': '10',
  'client-query-buffer-limit': '1073741824',
  'proto-max-bulk-len': String(MAX_STRING_BYTES),
  'acllog-max-len': '128',
  'tracking-table-max-keys': '1000000',
  'set-proc-title': 'yes',
  'io-threads': '1',
  'oom-score-adj': 'no',
  'jemalloc-bg-thread': 'yes',
  'close-on-replica-write': 'yes',
};

function policyParameter(settings: Settings): Parameter {
  return {
    read: () => settings.maxmemoryPolicy,
    write: (text) => {
      const policy = EVICTION_POLICIES.find((name) => name === text.toLowerCase());
      if (policy === undefined) {
        throw failure(`argument(s) must be one of the following: ${EVICTION_POLICIES.join(', ')}`);
      }
      settings.maxmemoryPolicy = policy;
    },
  };
}

function outputLimits(settings: Settings): Parameter {
  return {
    read: () => {
      const seconds = settings.pubsubSoftMs / 1_000;
      const pubsub = `pubsub ${settings.pubsubHardBytes} ${settings.pubsubSoftBytes} ${seconds}`;
      return `normal 0 0 0 slave 268435456 67108864 60 ${pubsub}`;
    },
    write: (text) => {
      const words = text.split(' ').filter((word) => word !== '');
      const [name, hard, soft, seconds] = words;
      if (words.length !== 4 || name !== 'pubsub')
        throw failure('only the limits of class pubsub can be set');
      settings.pubsubHardBytes = memorySize(hard!);
      settings.pubsubSoftBytes = memorySize(soft!);
      settings.pubsubSoftMs = wholeNumber(seconds!, 0, 86_400) * 1_000;
    },
  };
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = parseInteger(text);
  if (typeof value !== 'number') throw failure("argument couldn't be parsed into an integer");
  if (value < min || value > max) throw failure(`argument must be between ${min} and ${max} inclusive`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1_000,
  kb: 1_024,
  m: 1_000_000,
  mb: 1_048_576,
  g: 1_000_000_000,
  gb: 1_073_741_824,
};

/** A size such as `100mb`, in bytes. @throws ERR */
export function memorySize(text: string): number {
  let digits = 0;
  while (digits < text.length && text.charCodeAt(digits) >= 48 && text.charCodeAt(digits) <= 57) digits++;
  const unit = UNITS[text.slice(digits).toLowerCase()];
  const value = parseInteger(text.slice(0, digits));
  if (unit === undefined || typeof value !== 'number') throw failure('argument must be a memory value');
  return value * unit;
}
