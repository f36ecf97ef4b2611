/**
 * Settings from several places into one checked object.
 *
 *   defaults  <  octet.config.ts  <  OCTET_* variables  <  flags
 *
 * Each place is a layer: nested plain values and the name of where they came from, so that an error can say
 * which key is wrong and where it was written. The schema (valibot) is the only description of what there is.
 */
import * as v from 'valibot';
import { OctetError } from '../errors.ts';

export interface ConfigLayer {
  /** As a person would say it: `octet.config.ts`, `the environment`, `the command line`. */
  readonly place: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** `invalid`: a key that does not exist, or a value it cannot have. The message names key and place. */
export class ConfigError extends OctetError<'invalid'> {
  constructor(message: string, cause?: unknown) {
    super('invalid', message, { cause });
  }
}

type Schema = v.GenericSchema;

/**
 * Merges the layers, later ones first in rank, and checks the result.
 * @throws ConfigError naming the key and the place
 */
export function resolveConfig<Of extends Schema>(
  schema: Of,
  layers: readonly ConfigLayer[],
): v.InferOutput<Of> {
  const merged: Record<string, unknown> = {};
  const places = new Map<string, string>();
  for (const layer of layers) merge(merged, layer.values, schema, layer.place, [], places);
  const result = v.safeParse(schema, merged);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((step) => String(step.key));
  throw new ConfigError(`${keyName(path)}${placeName(path, places)}: ${issue.message}`, issue);
}

function merge(
  into: Record<string, unknown>,
  values: Readonly<Record<string, unknown>>,
  schema: Schema | undefined,
  place: string,
  path: readonly string[],
  places: Map<string, string>,
): void {
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const here = [...path, key];
    const known = childSchema(schema, key);
    if (known === 'unknown') throw unknownKey(schema, here, place);
    if (isPlain(value) && isPlain(into[key])) {
      merge(into[key], value, known, place, here, places);
    } else if (isPlain(value)) {
      const fresh: Record<string, unknown> = {};
      define(into, key, fresh);
      merge(fresh, value, known, place, here, places);
    } else {
      define(into, key, value);
    }
    places.set(here.join('.'), place);
  }
}

/** `__proto__` becomes an own property like any other, and then an unknown key. */
function define(into: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The schema under optional() and the like. */
function unwrap(schema: Schema | undefined): Schema | undefined {
  let inner: unknown = schema;
  while (typeof inner === 'object' && inner !== null && 'wrapped' in inner) inner = inner.wrapped;
  return inner as Schema | undefined;
}

function entriesOf(schema: Schema | undefined): Record<string, Schema> | undefined {
  const inner = unwrap(schema);
  return inner !== undefined && 'entries' in inner ? (inner.entries as Record<string, Schema>) : undefined;
}

function childSchema(schema: Schema | undefined, key: string): Schema | undefined | 'unknown' {
  const entries = entriesOf(schema);
  if (entries === undefined) {
    const inner = unwrap(schema);
    return inner !== undefined && inner.type === 'record' && 'value' in inner
      ? (inner.value as Schema)
      : undefined;
  }
  return Object.hasOwn(entries, key) ? entries[key] : 'unknown';
}

function unknownKey(schema: Schema | undefined, path: readonly string[], place: string): ConfigError {
  const near = nearest(path.at(-1) ?? '', Object.keys(entriesOf(schema) ?? {}));
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return new ConfigError(`${keyName(path)} in ${place}: there is no such setting${hint}`);
}

function keyName(path: readonly string[]): string {
  return path.length === 0 ? 'the configuration' : path.join('.');
}

function placeName(path: readonly string[], places: ReadonlyMap<string, string>): string {
  for (let length = path.length; length > 0; length--) {
    const place = places.get(path.slice(0, length).join('.'));
    if (place !== undefined) return ` in ${place}`;
  }
  return '';
}

/** The known name with the fewest edits, if it is close enough to have been meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replace = (previous[column - 1] as number) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replace, (previous[column] as number) + 1, (current[column - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[right.length] as number;
}

/**
 * The layer of the `OCTET_*` variables: `OCTET_CACHE__MAXMEMORY_BYTES=1000` is `cache.maxmemoryBytes`. Two
 * underscores go one level down; within a level case and single underscores do not matter. Lists and objects
 * are given as JSON.
 * @throws ConfigError for a variable that names no setting, or a value that is not of its setting's kind
 */
export function environmentLayer(
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigLayer {
  const values: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('OCTET_') || text === undefined) continue;
    const path = name.slice('OCTET_'.length).split('__');
    put(values, schema, path, text, name);
  }
  return { place: 'the environment', values };
}

function put(
  values: Record<string, unknown>,
  schema: Schema | undefined,
  path: readonly string[],
  text: string,
  variable: string,
): void {
  const [segment = '', ...rest] = path;
  const entries = entriesOf(schema);
  const isRecord = unwrap(schema)?.type === 'record';
  const key = isRecord ? segment.toLowerCase() : matchKey(segment, Object.keys(entries ?? {}));
  if (key === undefined) {
    const near = nearest(segment.replaceAll('_', ''), Object.keys(entries ?? {}));
    throw new ConfigError(
      `${variable}: there is no such setting${near === undefined ? '' : `; did you mean ${near}?`}`,
    );
  }
  const known = childSchema(schema, key);
  if (rest.length === 0) {
    define(values, key, fromText(known === 'unknown' ? undefined : known, text, variable));
    return;
  }
  const inner = isPlain(values[key]) ? values[key] : {};
  define(values, key, inner);
  put(inner, known === 'unknown' ? undefined : known, rest, text, variable);
}

function matchKey(segment: string, keys: readonly string[]): string | undefined {
  const wanted = segment.replaceAll('_', '').toLowerCase();
  return keys.find((key) => key.toLowerCase() === wanted);
}

/** A value given as text, read as its setting wants it. @throws ConfigError */
export function fromText(schema: Schema | undefined, text: string, place: string): unknown {
  const kind = unwrap(schema)?.type;
  if (kind === 'number') {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number))
      throw new ConfigError(`${place}: "${text}" is not a number`);
    return number;
  }
  if (kind === 'boolean') {
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    throw new ConfigError(`${place}: "${text}" is neither true nor false`);
  }
  if (kind === 'string' || kind === 'picklist' || kind === 'literal') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (kind === 'union') return text;
    throw new ConfigError(`${place}: the value must be JSON`, cause);
  }
}
