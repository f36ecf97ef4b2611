/** INFO: the state of the server as lines `name:value` in sections. */
import type { Call, Command } from '../command.ts';
import type { Engine } from '../engine.ts';

type Section = (engine: Engine, now: number) => Record<string, string | number>;

const SECTIONS: Readonly<Record<string, Section>> = {
  server: (engine, now) => ({
    redis_version: engine.options.version,
    redis_git_sha1: '00000000',
    redis_mode: 'standalone',
    octet_version: '0.1.0',
    arch_bits: 64,
    multiplexing_api: 'node',
    process_id: 0,
    run_id: engine.runId,
    tcp_port: engine.options.port(),
    server_time_usec: now * 1_000,
    uptime_in_seconds: Math.floor((now - engine.options.startMs) / 1_000),
    uptime_in_days: Math.floor((now - engine.options.startMs) / 86_400_000),
    hz: 10,
    configured_hz: 10,
    executable: '',
    config_file: '',
  }),
  clients: (engine) => ({
    connected_clients: engine.clients.size,
    cluster_connections: 0,
    maxclients: engine.settings.maxClients,
    blocked_clients: engine.blocking.count,
    tracking_clients: 0,
    pubsub_clients: [...engine.clients.values()].filter(({ subscriptionCount }) => subscriptionCount > 0)
      .length,
  }),
  memory: memory,
  persistence: (engine) => ({
    loading: 0,
    async_loading: 0,
    rdb_changes_since_last_save: engine.keyspace.changes,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: Math.floor(engine.options.startMs / 1_000),
    rdb_last_bgsave_status: 'ok',
    aof_enabled: 0,
    aof_rewrite_in_progress: 0,
  }),
  stats: (engine) => ({
    total_connections_received: engine.stats.connections,
    total_commands_processed: engine.stats.commands,
    rejected_connections: engine.stats.rejectedConnections,
    expired_keys: engine.keyspace.stats.expired,
    evicted_keys: engine.keyspace.stats.evicted,
    keyspace_hits: engine.keyspace.stats.hits,
    keyspace_misses: engine.keyspace.stats.misses,
    pubsub_channels: engine.pubsub.channels.size,
    pubsub_patterns: engine.pubsub.patterns.size,
    pubsubshard_channels: engine.pubsub.shardChannels.size,
    latest_fork_usec: 0,
    total_error_replies: engine.stats.errors,
    acl_access_denied_auth: engine.stats.authFailures,
  }),
  replication: (engine) => ({
    role: 'master',
    connected_slaves: 0,
    master_failover_state: 'no-failover',
    master_replid: engine.runId,
    master_repl_offset: 0,
    repl_backlog_active: 0,
  }),
  cpu: () => ({}),
  modules: () => ({}),
  errorstats: () => ({}),
  cluster: () => ({ cluster_enabled: 0 }),
  keyspace: keyspaceSection,
  commandstats: (engine) => {
    const lines: Record<string, string> = {};
    for (const { command, calls } of engine.commandCalls()) {
      if (calls > 0) lines[`cmdstat_${command.name}`] = `calls=${calls}`;
    }
    return lines;
  },
};

/** What INFO shows without an argument. */
const DEFAULT_SECTIONS = Object.keys(SECTIONS).filter((name) => name !== 'commandstats');

function memory(engine: Engine): Record<string, string | number> {
  const used = engine.usedBytes();
  const resident = engine.options.residentBytes();
  const { maxmemoryBytes, maxmemoryPolicy } = engine.settings;
  return {
    used_memory: used,
    used_memory_human: human(used),
    used_memory_rss: resident,
    used_memory_rss_human: human(resident),
    used_memory_peak: engine.peakBytes,
    used_memory_peak_human: human(engine.peakBytes),
    used_memory_dataset: engine.keyspace.usedBytes,
    maxmemory: maxmemoryBytes,
    maxmemory_human: human(maxmemoryBytes),
    maxmemory_policy: maxmemoryPolicy,
    mem_allocator: 'v8',
    lazyfree_pending_objects: 0,
  };
}

function keyspaceSection(engine: Engine, now: number): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const { index, size, volatile } of engine.keyspace.databases) {
    if (size === 0) continue;
    const soonest = volatile.first()?.deadline;
    const ttl = soonest === undefined ? 0 : Math.max(0, soonest - now);
    lines[`db${index}`] = `keys=${size},expires=${volatile.size},avg_ttl=${ttl}`;
  }
  return lines;
}

/** `1536` as `1.50K`. */
function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1_024 && unit < units.length - 1) {
    amount /= 1_024;
    unit++;
  }
  return unit === 0 ? `${amount}B` : `${amount.toFixed(2)}${units[unit]}`;
}

function wantedSections(words: readonly string[]): ReadonlySet<string> {
  const wanted = new Set<string>();
  for (const word of words.length === 0 ? ['default'] : words.map((each) => each.toLowerCase())) {
    if (word === 'default') for (const name of DEFAULT_SECTIONS) wanted.add(name);
    else if (word === 'all' || word === 'everything')
      for (const name of Object.keys(SECTIONS)) wanted.add(name);
    else wanted.add(word);
  }
  return wanted;
}

function info({ engine, args, reply, now }: Call): void {
  const wanted = wantedSections(args.slice(1));
  const parts: string[] = [];
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (!wanted.has(name)) continue;
    const lines = Object.entries(section(engine, now)).map(([field, value]) => `${field}:${value}\r\n`);
    parts.push(`# ${name[0]!.toUpperCase()}${name.slice(1)}\r\n${lines.join('')}`);
  }
  reply.verbatim('txt', parts.join('\r\n'));
}

export const INFO_COMMANDS: readonly Command[] = [
  {
    name: 'info',
    arity: -1,
    flags: ['loading', 'stale', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    summary: 'Returns the state of the server.',
    run: info,
  },
];
