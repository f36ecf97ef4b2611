/**
 * Where a request stands in a trace. W3C Trace Context level 2.
 *
 *   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03
 *                version  trace-id                   parent-id        flags: 1 sampled, 2 random trace-id
 *
 *   tracestate:  rojo=00f067aa0ba902b7, congo=t61rcWkgMzE      newest first, at most 32
 *
 * Digits are in lower case. A traceparent that departs from this counts as absent, and its tracestate with it; a bad
 * tracestate is dropped alone (section 3.3). A later version is read by the fields that this one has.
 */
import type { Random } from '../../core/random/random.ts';
import { TRACE_STATE_CHARACTERS, TRACE_STATE_ENTRY_CHARACTERS, TRACE_STATE_MEMBERS } from '../limits.ts';
import type { HeaderFields, HeaderList } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { trimWhitespace } from '../wire/grammar.ts';

export interface TraceParent {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** Of the caller's span: 16 hexadecimal digits, not all zero. */
  readonly parentId: string;
  readonly sampled: boolean;
  /** At least the last 7 bytes of the trace-id are random; carried on unchanged. */
  readonly randomId: boolean;
}

export type TraceState = readonly (readonly [key: string, value: string])[];

export interface TraceContext extends TraceParent {
  readonly state: TraceState;
}

const TRACEPARENT_CHARACTERS = 55;
const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const SAMPLED = 0x01;
const RANDOM = 0x02;
const DASH = 0x2d;

/** The context that a request brings; undefined when it brings none that is valid. */
export function traceContextOf(headers: HeaderFields): TraceContext | undefined {
  const given = headers.getAll('traceparent');
  const parent = given.length === 1 ? parseTraceparent(given[0]!) : undefined;
  if (parent === undefined) return undefined;
  return { ...parent, state: parseTracestate(headers.get('tracestate') ?? '') ?? [] };
}

/** Section 3.2.2. @returns undefined when it is not one */
export function parseTraceparent(text: string): TraceParent | undefined {
  if (!hasShape(text)) return undefined;
  const version = text.slice(0, 2);
  if (version === 'ff') return undefined;
  if (text.length > TRACEPARENT_CHARACTERS) {
    const goesOn = version !== '00' && text.charCodeAt(TRACEPARENT_CHARACTERS) === DASH;
    if (!goesOn) return undefined;
  }
  const traceId = text.slice(3, 35);
  const parentId = text.slice(36, 52);
  if (isZero(traceId) || isZero(parentId)) return undefined;
  const flags = Number.parseInt(text.slice(53, 55), 16);
  return { traceId, parentId, sampled: (flags & SAMPLED) !== 0, randomId: (flags & RANDOM) !== 0 };
}

/** Two, 32, 16 and two digits with dashes between. */
function hasShape(text: string): boolean {
  if (text.length < TRACEPARENT_CHARACTERS) return false;
  for (let at = 0; at < TRACEPARENT_CHARACTERS; at++) {
    const code = text.charCodeAt(at);
    const dash = at === 2 || at === 35 || at === 52;
    if (dash ? code !== DASH : !isLowerHex(code)) return false;
  }
  return true;
}

function isLowerHex(code: number): boolean {
  return isDigit(code) || (code >= 0x61 && code <= 0x66);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isZero(digits: string): boolean {
  return digits === '0'.repeat(digits.length);
}

/** Section 3.3; several fields come joined with commas. @returns undefined when it is not one, or names a key twice */
export function parseTracestate(text: string): TraceState | undefined {
  const state: [string, string][] = [];
  const keys = new Set<string>();
  let members = 0;
  for (let from = 0; from <= text.length; ) {
    const comma = text.indexOf(',', from);
    const to = comma < 0 ? text.length : comma;
    const member = trimWhitespace(text.slice(from, to));
    from = to + 1;
    if (member === '') continue;
    if (++members > TRACE_STATE_MEMBERS) return undefined;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(0, equals));
    const value = member.slice(equals + 1);
    if (!isStateKey(key) || !isStateValue(value) || keys.has(key)) return undefined;
    keys.add(key);
    state.push([key, value]);
  }
  return state;
}

/** A lower-case letter or digit, then also `_ - * / @`; 256 at most. */
function isStateKey(key: string): boolean {
  if (key.length === 0 || key.length > 256) return false;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    const plain = isDigit(code) || (code >= 0x61 && code <= 0x7a);
    if (!plain && (at === 0 || !'_-*/@'.includes(key[at]!))) return false;
  }
  return true;
}

/** Printable ASCII without `,` and `=`, not ending in a space; 256 at most. */
function isStateValue(value: string): boolean {
  if (value.length === 0 || value.length > 256 || value.endsWith(' ')) return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x2c || code === 0x3d) return false;
  }
  return true;
}

/**
 * The context for a span of ours: the same trace with a new parent-id, or a new trace when there is none.
 * @param sampled overrides the caller's decision; a new trace is sampled unless it says otherwise
 */
export function childContext(
  caller: TraceContext | undefined,
  random: Random,
  sampled: boolean = caller?.sampled ?? true,
): TraceContext {
  const parentId = randomId(random, PARENT_ID_BYTES);
  if (caller !== undefined) return { ...caller, parentId, sampled };
  return { traceId: randomId(random, TRACE_ID_BYTES), parentId, sampled, randomId: true, state: [] };
}

/** All zero means "none" and must not be sent. */
function randomId(random: Random, bytes: number): string {
  for (;;) {
    const id = random.bytes(bytes).toString('hex');
    if (!isZero(id)) return id;
  }
}

/**
 * Sets an entry of ours, which goes first; the last one falls out when there are too many. Section 3.5.
 * @throws UnsendableError when key or value departs from the grammar
 */
export function withTraceState(context: TraceContext, key: string, value: string): TraceContext {
  if (!isStateKey(key) || !isStateValue(value)) throw new UnsendableError('this is no entry of a tracestate');
  const others = context.state.filter(([other]) => other !== key);
  return { ...context, state: [[key, value] as const, ...others].slice(0, TRACE_STATE_MEMBERS) };
}

/** The fields to send on. */
export function traceFields(context: TraceContext): HeaderList {
  const flags = (context.sampled ? SAMPLED : 0) | (context.randomId ? RANDOM : 0);
  const parent = ['traceparent', `00-${context.traceId}-${context.parentId}-0${flags}`] as const;
  const state = fittingState(context.state);
  return state === '' ? [parent] : [parent, ['tracestate', state]];
}

/** Whole entries only: first the long ones are left out, then the oldest. Section 3.3, limits. */
function fittingState(state: TraceState): string {
  const entries = state.map(([key, value]) => `${key}=${value}`);
  let characters = entries.reduce((sum, entry) => sum + entry.length + 1, -1);
  for (const longOnly of [true, false]) {
    for (let at = entries.length - 1; at >= 0 && characters > TRACE_STATE_CHARACTERS; at--) {
      if (longOnly && entries[at]!.length <= TRACE_STATE_ENTRY_CHARACTERS) continue;
      characters -= entries[at]!.length + 1;
      entries.splice(at, 1);
    }
  }
  return entries.join(',');
}
