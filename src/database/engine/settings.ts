/**
 * Run-time settings of a session (SHOW, SET, current_setting), with the values that drivers rely on.
 * A setting that nothing here obeys is accepted only if it is on the list of inert ones, or has a dot in it.
 */
import { DatabaseError } from '../errors.ts';
import { zoneByName } from './types/time-zones.ts';

export const SERVER_VERSION = '15.18';
export const SERVER_VERSION_NUM = '150018';

interface Setting {
  /** As SHOW and ParameterStatus write it. */
  readonly name: string;
  readonly initial: string;
  /** Told to the client when it changes. */
  readonly reported?: boolean;
  /** Undefined: may not be set. @throws DatabaseError for a bad value; @returns the value as kept */
  readonly accept?: (value: string) => string;
}

const anyText = (value: string): string => value;

function oneOf(name: string, ...values: string[]): (value: string) => string {
  return (value) => {
    const found = values.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
    if (found === undefined) throw invalid(name, value, `Available values: ${values.join(', ')}.`);
    return found;
  };
}

/** Only what is already so may be asked for. */
function fixed(name: string, ...values: string[]): (value: string) => string {
  return (value) => {
    if (!values.some((candidate) => candidate.toLowerCase() === value.toLowerCase()))
      throw new DatabaseError('0A000', `${name} = "${value}" is not supported`);
    return values[0]!;
  };
}

function flag(name: string): (value: string) => string {
  return (value) => {
    const word = value.toLowerCase();
    if (['on', 'true', 'yes', '1', 't', 'y'].includes(word)) return 'on';
    if (['off', 'false', 'no', '0', 'f', 'n'].includes(word)) return 'off';
    throw new DatabaseError('22023', `parameter "${name}" requires a Boolean value`);
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or a number with a unit. */
function duration(name: string): (value: string) => string {
  return (value) => {
    const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?\s*$/.exec(value);
    const millis = match === null ? Number.NaN : Math.round(Number(match[1]) * UNITS[match[2] ?? 'ms']!);
    if (!(millis <= 2_147_483_647)) throw invalid(name, value);
    return formatDuration(millis);
  };
}

function formatDuration(millis: number): string {
  if (millis === 0) return '0';
  const unit = ['d', 'h', 'min', 's'].find((candidate) => millis % UNITS[candidate]! === 0) ?? 'ms';
  return `${millis / UNITS[unit]!}${unit}`;
}

/** A duration setting as milliseconds. */
export function durationMs(value: string): number {
  const match = /^(\d+)(ms|s|min|h|d)?$/.exec(value);
  return match === null ? 0 : Number(match[1]) * UNITS[match[2] ?? 'ms']!;
}

function timeZone(value: string): string {
  const zone = zoneByName(value);
  if (zone === undefined) throw invalid('TimeZone', value);
  return zone.name;
}

function invalid(name: string, value: string, hint?: string): DatabaseError {
  return new DatabaseError('22023', `invalid value for parameter "${name}": "${value}"`, { hint });
}

const ISOLATION = ['read committed', 'repeatable read', 'serializable', 'read uncommitted'];

const SETTINGS: readonly Setting[] = [
  {
    name: 'application_name',
    initial: '',
    reported: true,
    accept: (value) => value.replace(/[^\x20-\x7e]/g, '?').slice(0, 63),
  },
  {
    name: 'client_encoding',
    initial: 'UTF8',
    reported: true,
    accept: fixed('client_encoding', 'UTF8', 'UTF-8', 'unicode'),
  },
  {
    name: 'DateStyle',
    initial: 'ISO, MDY',
    reported: true,
    accept: (value) =>
      /^iso(,\s*(mdy|dmy|ymd))?$/i.test(value) ? 'ISO, MDY' : fixed('DateStyle', 'ISO, MDY')(value),
  },
  {
    name: 'default_transaction_isolation',
    initial: 'read committed',
    accept: oneOf('default_transaction_isolation', ...ISOLATION),
  },
  {
    name: 'default_transaction_read_only',
    initial: 'off',
    reported: true,
    accept: flag('default_transaction_read_only'),
  },
  {
    name: 'idle_in_transaction_session_timeout',
    initial: '0',
    accept: duration('idle_in_transaction_session_timeout'),
  },
  { name: 'idle_session_timeout', initial: '0', accept: duration('idle_session_timeout') },
  { name: 'in_hot_standby', initial: 'off', reported: true },
  { name: 'integer_datetimes', initial: 'on', reported: true },
  { name: 'IntervalStyle', initial: 'postgres', reported: true, accept: fixed('IntervalStyle', 'postgres') },
  { name: 'is_superuser', initial: 'on', reported: true },
  { name: 'lock_timeout', initial: '0', accept: duration('lock_timeout') },
  { name: 'max_connections', initial: '100' },
  { name: 'max_identifier_length', initial: '63' },
  { name: 'search_path', initial: '"$user", public', accept: anyText },
  { name: 'server_encoding', initial: 'UTF8', reported: true },
  { name: 'server_version', initial: SERVER_VERSION, reported: true },
  { name: 'server_version_num', initial: SERVER_VERSION_NUM },
  { name: 'session_authorization', initial: '', reported: true },
  {
    name: 'standard_conforming_strings',
    initial: 'on',
    reported: true,
    accept: fixed('standard_conforming_strings', 'on', 'true', 'yes', '1'),
  },
  { name: 'statement_timeout', initial: '0', accept: duration('statement_timeout') },
  { name: 'TimeZone', initial: 'UTC', reported: true, accept: timeZone },
  { name: 'transaction_isolation', initial: 'read committed' },
  { name: 'transaction_read_only', initial: 'off' },
  { name: 'lc_collate', initial: 'C' },
  { name: 'lc_ctype', initial: 'C' },
  { name: 'row_security', initial: 'on', accept: flag('row_security') },
  // Inert: they change how hard PostgreSQL tries, not what a statement means.
  {
    name: 'client_min_messages',
    initial: 'notice',
    accept: oneOf(
      'client_min_messages',
      'debug5',
      'debug4',
      'debug3',
      'debug2',
      'debug1',
      'log',
      'notice',
      'warning',
      'error',
    ),
  },
  { name: 'extra_float_digits', initial: '1', accept: anyText },
  { name: 'bytea_output', initial: 'hex', accept: fixed('bytea_output', 'hex') },
  { name: 'work_mem', initial: '4MB', accept: anyText },
  { name: 'maintenance_work_mem', initial: '64MB', accept: anyText },
  {
    name: 'synchronous_commit',
    initial: 'on',
    accept: fixed('synchronous_commit', 'on', 'local', 'remote_write', 'remote_apply'),
  },
  { name: 'jit', initial: 'off', accept: flag('jit') },
  { name: 'enable_seqscan', initial: 'on', accept: flag('enable_seqscan') },
  { name: 'check_function_bodies', initial: 'on', accept: flag('check_function_bodies') },
  { name: 'xmloption', initial: 'content', accept: anyText },
  { name: 'default_tablespace', initial: '', accept: fixed('default_tablespace', '') },
  {
    name: 'default_table_access_method',
    initial: 'heap',
    accept: fixed('default_table_access_method', 'heap'),
  },
  { name: 'default_with_oids', initial: 'off', accept: fixed('default_with_oids', 'off', 'false') },
  { name: 'escape_string_warning', initial: 'on', accept: flag('escape_string_warning') },
];

const BY_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [setting.name.toLowerCase(), setting]),
);

export class Settings {
  readonly #values = new Map<string, string>();
  /** What SET in the open transaction replaced, to be put back if it fails; SET LOCAL's at its end in any case. */
  readonly #before = new Map<string, { readonly value: string | undefined; local: boolean }>();
  readonly #defaults = new Map<string, string>();
  readonly #changed: (name: string, value: string) => void;

  /** @param changed is told of every new value that clients want to know */
  constructor(changed: (name: string, value: string) => void) {
    this.#changed = changed;
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    return this.#values.get(key) ?? this.#defaults.get(key) ?? BY_NAME.get(key)?.initial;
  }

  /** @throws DatabaseError 42704 */
  show(name: string): string {
    const value = this.get(name);
    if (value === undefined)
      throw new DatabaseError('42704', `unrecognized configuration parameter "${name}"`);
    return value;
  }

  /** The name as PostgreSQL spells it. */
  spelling(name: string): string {
    return BY_NAME.get(name.toLowerCase())?.name ?? name;
  }

  /** What the connection itself decides: user, startup options. */
  start(name: string, value: string): void {
    const setting = BY_NAME.get(name.toLowerCase());
    this.#defaults.set(name.toLowerCase(), setting?.accept === undefined ? value : setting.accept(value));
  }

  /** @param value undefined for DEFAULT. @throws DatabaseError 42704, 22023, 55P02 as 42501 */
  set(name: string, value: string | undefined, local: boolean, inTransaction: boolean): string {
    const key = name.toLowerCase();
    const setting = BY_NAME.get(key);
    if (setting === undefined && !key.includes('.'))
      throw new DatabaseError('42704', `unrecognized configuration parameter "${name}"`);
    if (setting !== undefined && setting.accept === undefined)
      throw new DatabaseError('55P02', `parameter "${name}" cannot be changed`);
    const next = value === undefined ? undefined : (setting?.accept?.(value) ?? value);
    if (inTransaction) this.#remember(key, local);
    if (local && !inTransaction) return this.get(name) ?? '';
    this.#put(key, next);
    return this.get(name) ?? '';
  }

  #remember(key: string, local: boolean): void {
    const known = this.#before.get(key);
    if (known === undefined) this.#before.set(key, { value: this.#values.get(key), local });
    else known.local &&= local;
  }

  #put(key: string, value: string | undefined): void {
    const before = this.get(key);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    const after = this.get(key);
    const setting = BY_NAME.get(key);
    if (setting?.reported === true && after !== before && after !== undefined)
      this.#changed(setting.name, after);
  }

  endTransaction(committed: boolean): void {
    for (const [key, { value, local }] of this.#before) if (!committed || local) this.#put(key, value);
    this.#before.clear();
  }

  reset(): void {
    for (const key of [...this.#values.keys()]) this.#put(key, undefined);
  }

  /** What ParameterStatus tells at the start. */
  reported(): [name: string, value: string][] {
    return SETTINGS.filter((setting) => setting.reported === true).map((setting) => [
      setting.name,
      this.get(setting.name)!,
    ]);
  }

  *all(): Iterable<[name: string, value: string]> {
    for (const setting of SETTINGS) yield [setting.name, this.get(setting.name)!];
  }
}
