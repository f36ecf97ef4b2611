/**
 * The built-in types: their names, categories and the conversions between values, text and the order that
 * comparisons, sorts and indexes use. Binary forms of the wire are in `binary.ts`, rows on disk in
 * `../storage/row-codec.ts`.
 */
import { DatabaseError } from '../../errors.ts';
import {
  formatDate,
  formatInterval,
  formatTime,
  formatTimestamp,
  formatTimestampTz,
  type Interval,
  intervalMicros,
  parseDate,
  parseInterval,
  parseTime,
  parseTimestamp,
  parseTimestampTz,
  type TimeContext,
} from './datetime.ts';
import { compareJson, parseJson, toJsonb } from './json.ts';
import { applyPrecision, compareNumeric, type Numeric, numericKey, parseNumeric } from './numeric.ts';
import { OID } from './oids.ts';
import { compareText, type TypeRef, type Value } from './values.ts';

/** What text conversion depends on besides the text. */
export interface ConversionContext extends TimeContext {
  /** Resolves the name of a relation, type, function, role or schema to its OID; for the reg* types. */
  readonly lookup: (kind: RegisteredKind, text: string) => number;
  /** The name of an OID; undefined when there is no such object. */
  readonly describe: (kind: RegisteredKind, oid: number) => string | undefined;
}

export type RegisteredKind = 'class' | 'type' | 'proc' | 'role' | 'namespace';

export interface TypeInfo {
  readonly oid: number;
  readonly name: string;
  /** pg_type.typcategory: B boolean, N number, S string, D date/time, T timespan, A array, U user, X unknown, P pseudo. */
  readonly category: string;
  readonly preferred: boolean;
  /** pg_type.typlen: bytes, or -1 for a variable length. */
  readonly length: number;
  readonly arrayOid: number;
  /** For array types: the element's OID. */
  readonly elementOid: number;
  /** The name SQL shows, as format_type gives it. */
  readonly sqlName: string;
  parse(text: string, context: ConversionContext): Value;
  print(value: NonNullable<Value>, context: ConversionContext): string;
  /** Negative, 0 or positive. Undefined where the type has no order (json). */
  readonly compare?: (a: NonNullable<Value>, b: NonNullable<Value>) => number;
  /** A primitive that is equal exactly for equal values. */
  readonly key: (value: NonNullable<Value>) => string | number | bigint | boolean;
}

function invalidText(type: string, text: string): DatabaseError {
  return new DatabaseError('22P02', `invalid input syntax for type ${type}: "${text}"`);
}

function outOfRange(type: string, text: string): DatabaseError {
  return new DatabaseError('22003', `value "${text}" is out of range for type ${type}`);
}

export function parseInteger(text: string, type: 'smallint' | 'integer' | 'bigint' | 'oid'): bigint {
  const trimmed = text.trim();
  if (!/^[+-]?\d+$/.test(trimmed)) throw invalidText(type, text);
  const value = BigInt(trimmed);
  const [low, high] = INTEGER_RANGE[type];
  if (value < low || value > high) throw outOfRange(type, text);
  return value;
}

const INTEGER_RANGE = {
  smallint: [-32_768n, 32_767n],
  integer: [-2_147_483_648n, 2_147_483_647n],
  bigint: [-(2n ** 63n), 2n ** 63n - 1n],
  oid: [-2_147_483_648n, 4_294_967_295n],
} as const;

export function parseFloating(text: string, type: 'real' | 'double precision'): number {
  const trimmed = text.trim().toLowerCase();
  const named = {
    nan: Number.NaN,
    infinity: Infinity,
    '+infinity': Infinity,
    '-infinity': -Infinity,
    inf: Infinity,
    '+inf': Infinity,
    '-inf': -Infinity,
  }[trimmed];
  if (named !== undefined) return named;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(trimmed)) throw invalidText(type, text);
  const value = type === 'real' ? Math.fround(Number(trimmed)) : Number(trimmed);
  const zero = /^[+-]?[0.]*(e|$)/.test(trimmed);
  if (!Number.isFinite(value) || (value === 0 && !zero))
    throw new DatabaseError('22003', `"${text}" is out of range for type ${type}`);
  return value;
}

/** The shortest digits that read back as the same number, in PostgreSQL's layout. */
export function printFloat(value: number, single: boolean): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (Object.is(value, -0)) return '-0';
  const shortest = single ? shortestSingle(value) : String(value);
  return layoutFloat(shortest, single ? 6 : 15);
}

function shortestSingle(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

/** Exponent form below 1e-4 and from 1e`limit`, with two digits of exponent at least. */
function layoutFloat(text: string, limit: number): string {
  const [mantissa = '', exponentText] = Number(text).toExponential().split('e');
  const exponent = Number(exponentText);
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < -4 || exponent >= limit) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits[0]}${rest}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return digits.length > exponent + 1 ? `${sign}${whole}.${digits.slice(exponent + 1)}` : sign + whole;
}

/** NaN is equal to itself and greater than every other number, as PostgreSQL orders it. */
export function compareFloat(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function parseBoolean(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (word !== '') {
    if ('true'.startsWith(word) || 'yes'.startsWith(word) || word === 'on' || word === '1') return true;
    if ('false'.startsWith(word) || 'no'.startsWith(word) || word === 'off' || word === 'of' || word === '0')
      return false;
  }
  throw invalidText('boolean', text);
}

function parseUuid(text: string): string {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^\{(.*)\}$/, '$1');
  if (!/^[0-9a-f]{4}(-?[0-9a-f]{4}){7}$/.test(digits)) throw invalidText('uuid', text);
  const plain = digits.replaceAll('-', '');
  return `${plain.slice(0, 8)}-${plain.slice(8, 12)}-${plain.slice(12, 16)}-${plain.slice(16, 20)}-${plain.slice(20)}`;
}

function parseBytea(text: string): Buffer {
  if (text.startsWith('\\x')) {
    const digits = text.slice(2).replace(/\s+/g, '');
    if (!/^([0-9a-fA-F]{2})*$/.test(digits))
      throw new DatabaseError(
        '22023',
        digits.length % 2 === 1
          ? 'invalid hexadecimal data: odd number of digits'
          : 'invalid hexadecimal digit',
      );
    return Buffer.from(digits, 'hex');
  }
  const bytes: number[] = [];
  const source = Buffer.from(text);
  for (let i = 0; i < source.length; i++) {
    if (source[i] !== 0x5c) bytes.push(source[i]!);
    else if (source[i + 1] === 0x5c) {
      bytes.push(0x5c);
      i++;
    } else {
      const octal = source.toString('latin1', i + 1, i + 4);
      if (!/^[0-3][0-7]{2}$/.test(octal)) throw invalidText('bytea', text);
      bytes.push(Number.parseInt(octal, 8));
      i += 3;
    }
  }
  return Buffer.from(bytes);
}

/** `{1,NULL,"a b"}` → elements as texts, null for NULL. One dimension. */
export function parseArrayText(text: string): (string | null)[] {
  const malformed = (): DatabaseError => new DatabaseError('22P02', `malformed array literal: "${text}"`);
  const source = text.trim();
  if (!source.startsWith('{') || !source.endsWith('}')) throw malformed();
  const items: (string | null)[] = [];
  let at = 1;
  const skip = (): void => {
    while (/\s/.test(source[at] ?? 'x')) at++;
  };
  skip();
  if (source[at] === '}') return items;
  for (;;) {
    skip();
    if (source[at] === '{') throw new DatabaseError('0A000', 'multidimensional arrays are not supported');
    const pattern = source[at] === '"' ? /"((?:[^"\\]|\\[\s\S])*)"/y : /((?:[^,{}"\\]|\\[\s\S])+)/y;
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found === null) throw malformed();
    const quoted = source[at] === '"';
    const raw = quoted ? found[1]! : found[1]!.trim();
    items.push(!quoted && raw.toLowerCase() === 'null' ? null : raw.replace(/\\([\s\S])/g, '$1'));
    at += found[0].length;
    skip();
    if (source[at] === '}' && at === source.length - 1) return items;
    if (source[at] !== ',') throw malformed();
    at++;
  }
}

function printArrayItem(text: string): string {
  const plain = text !== '' && !/[\s{},"\\]/.test(text) && text.toLowerCase() !== 'null';
  return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

type Base = Omit<TypeInfo, 'arrayOid' | 'elementOid' | 'sqlName' | 'preferred' | 'key'> &
  Partial<Pick<TypeInfo, 'arrayOid' | 'elementOid' | 'sqlName' | 'preferred' | 'key'>>;

function define(base: Base): TypeInfo {
  return {
    arrayOid: 0,
    elementOid: 0,
    preferred: false,
    sqlName: base.name,
    key: (value) => value as string | number | bigint | boolean,
    ...base,
  };
}

const compareNumbers = (a: NonNullable<Value>, b: NonNullable<Value>): number => (a < b ? -1 : a > b ? 1 : 0);
const compareBigints = (a: NonNullable<Value>, b: NonNullable<Value>): number => (a < b ? -1 : a > b ? 1 : 0);
const compareTexts = (a: NonNullable<Value>, b: NonNullable<Value>): number =>
  compareText(a as string, b as string);
const sameText = (text: string): string => text;
const toText = (value: NonNullable<Value>): string => String(value);

function integerType(
  oid: number,
  name: string,
  sqlName: 'smallint' | 'integer',
  length: number,
  arrayOid: number,
): TypeInfo {
  return define({
    oid,
    name,
    sqlName,
    category: 'N',
    length,
    arrayOid,
    parse: (text) => Number(parseInteger(text, sqlName)),
    print: toText,
    compare: compareNumbers,
  });
}

function textType(
  oid: number,
  name: string,
  sqlName: string,
  arrayOid: number,
  extra: Partial<Base> = {},
): TypeInfo {
  return define({
    oid,
    name,
    sqlName,
    category: 'S',
    length: -1,
    arrayOid,
    parse: sameText,
    print: toText,
    compare: compareTexts,
    ...extra,
  });
}

function floatType(
  oid: number,
  name: string,
  sqlName: 'real' | 'double precision',
  length: number,
  arrayOid: number,
): TypeInfo {
  const single = sqlName === 'real';
  return define({
    oid,
    name,
    sqlName,
    category: 'N',
    preferred: !single,
    length,
    arrayOid,
    parse: (text) => parseFloating(text, sqlName),
    print: (value) => printFloat(value as number, single),
    compare: (a, b) => compareFloat(a as number, b as number),
    key: (value) => (value === 0 ? 0 : Number.isNaN(value) ? 'NaN' : (value as number)),
  });
}

/** An OID with a name: read from either, printed as the name. */
function registeredType(oid: number, name: string, kind: RegisteredKind, arrayOid: number): TypeInfo {
  return define({
    oid,
    name,
    category: 'N',
    length: 4,
    arrayOid,
    parse: (text, context) =>
      /^\d+$/.test(text) ? Number(parseInteger(text, 'oid')) : text === '-' ? 0 : context.lookup(kind, text),
    print: (value, context) =>
      value === 0 ? '-' : (context.describe(kind, value as number) ?? String(value)),
    compare: compareNumbers,
  });
}

/** Types that name no value of a table: only functions and untyped literals use them. */
function pseudoType(oid: number, name: string, category = 'P'): TypeInfo {
  return define({ oid, name, category, length: 4, parse: sameText, print: toText, compare: compareTexts });
}

const SCALARS: readonly TypeInfo[] = [
  define({
    oid: OID.bool,
    name: 'bool',
    sqlName: 'boolean',
    category: 'B',
    preferred: true,
    length: 1,
    arrayOid: 1000,
    parse: parseBoolean,
    print: (value) => (value ? 't' : 'f'),
    compare: (a, b) => Number(a) - Number(b),
  }),
  define({
    oid: OID.bytea,
    name: 'bytea',
    category: 'U',
    length: -1,
    arrayOid: 1001,
    parse: parseBytea,
    print: (value) => `\\x${(value as Buffer).toString('hex')}`,
    compare: (a, b) => Buffer.compare(a as Buffer, b as Buffer),
    key: (value) => (value as Buffer).toString('latin1'),
  }),
  textType(OID.char, 'char', '"char"', 1002, { length: 1, category: 'Z', parse: (text) => text.slice(0, 1) }),
  textType(OID.name, 'name', 'name', 1003, { length: 64 }),
  define({
    oid: OID.int8,
    name: 'int8',
    sqlName: 'bigint',
    category: 'N',
    length: 8,
    arrayOid: 1016,
    parse: (text) => parseInteger(text, 'bigint'),
    print: toText,
    compare: compareBigints,
  }),
  integerType(OID.int2, 'int2', 'smallint', 2, 1005),
  integerType(OID.int4, 'int4', 'integer', 4, 1007),
  textType(OID.text, 'text', 'text', 1009, { preferred: true }),
  define({
    oid: OID.oid,
    name: 'oid',
    category: 'N',
    preferred: true,
    length: 4,
    arrayOid: 1028,
    parse: (text) => Number(BigInt.asUintN(32, parseInteger(text, 'oid'))),
    print: toText,
    compare: compareNumbers,
  }),
  define({
    oid: OID.xid,
    name: 'xid',
    category: 'U',
    length: 4,
    arrayOid: 1011,
    parse: (t) => Number(parseInteger(t, 'oid')),
    print: toText,
    compare: compareNumbers,
  }),
  define({
    oid: OID.json,
    name: 'json',
    category: 'U',
    length: -1,
    arrayOid: 199,
    parse: (text) => {
      parseJson(text);
      return text;
    },
    print: toText,
  }),
  define({
    oid: OID.jsonb,
    name: 'jsonb',
    category: 'U',
    length: -1,
    arrayOid: 3807,
    parse: toJsonb,
    print: toText,
    compare: (a, b) => (a === b ? 0 : compareJson(parseJson(a as string), parseJson(b as string))),
    key: (value) => value as string,
  }),
  textType(OID.pgNodeTree, 'pg_node_tree', 'pg_node_tree', 0, { category: 'Z' }),
  floatType(OID.float4, 'float4', 'real', 4, 1021),
  floatType(OID.float8, 'float8', 'double precision', 8, 1022),
  textType(OID.aclitem, 'aclitem', 'aclitem', 1034, { category: 'U', length: 12 }),
  textType(OID.bpchar, 'bpchar', 'character', 1014, {
    compare: (a, b) => compareText(trimBlanks(a as string), trimBlanks(b as string)),
    key: (value) => trimBlanks(value as string),
  }),
  textType(OID.varchar, 'varchar', 'character varying', 1015),
  define({
    oid: OID.date,
    name: 'date',
    category: 'D',
    length: 4,
    arrayOid: 1182,
    parse: parseDate,
    print: (value) => formatDate(value as number),
    compare: compareNumbers,
  }),
  define({
    oid: OID.time,
    name: 'time',
    sqlName: 'time without time zone',
    category: 'D',
    length: 8,
    arrayOid: 1183,
    parse: (text) => parseTime(text),
    print: (value) => formatTime(value as number),
    compare: compareNumbers,
  }),
  define({
    oid: OID.timestamp,
    name: 'timestamp',
    sqlName: 'timestamp without time zone',
    category: 'D',
    length: 8,
    arrayOid: 1115,
    parse: parseTimestamp,
    print: (value) => formatTimestamp(value as bigint),
    compare: compareBigints,
  }),
  define({
    oid: OID.timestamptz,
    name: 'timestamptz',
    sqlName: 'timestamp with time zone',
    category: 'D',
    preferred: true,
    length: 8,
    arrayOid: 1185,
    parse: parseTimestampTz,
    print: (value, context) => formatTimestampTz(value as bigint, context.zone),
    compare: compareBigints,
  }),
  define({
    oid: OID.interval,
    name: 'interval',
    category: 'T',
    preferred: true,
    length: 16,
    arrayOid: 1187,
    parse: parseInterval,
    print: (value) => formatInterval(value as Interval),
    compare: (a, b) => compareBigints(intervalMicros(a as Interval), intervalMicros(b as Interval)),
    key: (value) => intervalMicros(value as Interval),
  }),
  define({
    oid: OID.numeric,
    name: 'numeric',
    category: 'N',
    length: -1,
    arrayOid: 1231,
    parse: (text) => {
      const value = parseNumeric(text);
      if (value === undefined) throw invalidText('numeric', text);
      return value;
    },
    print: toText,
    compare: (a, b) => compareNumeric(a as Numeric, b as Numeric),
    key: (value) => numericKey(value as Numeric),
  }),
  define({
    oid: OID.uuid,
    name: 'uuid',
    category: 'U',
    length: 16,
    arrayOid: 2951,
    parse: parseUuid,
    print: toText,
    compare: compareTexts,
  }),
  registeredType(OID.regproc, 'regproc', 'proc', 1008),
  registeredType(OID.regclass, 'regclass', 'class', 2210),
  registeredType(OID.regtype, 'regtype', 'type', 2211),
  registeredType(OID.regrole, 'regrole', 'role', 4097),
  registeredType(OID.regnamespace, 'regnamespace', 'namespace', 4090),
  pseudoType(OID.unknown, 'unknown', 'X'),
  pseudoType(OID.void, 'void'),
  pseudoType(OID.record, 'record'),
  pseudoType(OID.any, 'any'),
  pseudoType(OID.anyarray, 'anyarray'),
  pseudoType(OID.anyelement, 'anyelement'),
];

export function trimBlanks(text: string): string {
  return text.replace(/ +$/, '');
}

function arrayOf(element: TypeInfo): TypeInfo {
  return define({
    oid: element.arrayOid,
    name: `_${element.name}`,
    sqlName: `${element.sqlName}[]`,
    category: 'A',
    length: -1,
    elementOid: element.oid,
    parse: (text, context) =>
      parseArrayText(text).map((item) => (item === null ? null : element.parse(item, context))),
    print: (value, context) =>
      `{${(value as readonly Value[]).map((item) => (item === null ? 'NULL' : printArrayItem(element.print(item, context)))).join(',')}}`,
    key: (value) =>
      (value as readonly Value[]).map((item) => (item === null ? 'n' : keyPart(element.key(item)))).join(','),
    compare: (a, b) => compareArrays(a as readonly Value[], b as readonly Value[], element),
  });
}

export function keyPart(key: string | number | bigint | boolean): string {
  return typeof key === 'string' ? `${key.length}:${key}` : String(key);
}

function compareArrays(a: readonly Value[], b: readonly Value[], element: TypeInfo): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x === null || y === null) {
      if (x !== y) return x === null ? 1 : -1;
    } else {
      const order = element.compare?.(x, y) ?? 0;
      if (order !== 0) return order;
    }
  }
  return a.length - b.length;
}

/** int2vector and oidvector: arrays that print without braces and count from 0. */
function vectorOf(oid: number, name: string, element: TypeInfo, arrayOid: number): TypeInfo {
  return define({
    oid,
    name,
    category: 'A',
    length: -1,
    arrayOid,
    elementOid: element.oid,
    parse: (text, context) =>
      text
        .split(/\s+/)
        .filter((item) => item !== '')
        .map((item) => element.parse(item, context)),
    print: (value) => (value as readonly Value[]).join(' '),
    key: (value) => (value as readonly Value[]).join(' '),
    compare: (a, b) => compareArrays(a as readonly Value[], b as readonly Value[], element),
  });
}

function buildTypes(): Map<number, TypeInfo> {
  const types = new Map<number, TypeInfo>();
  for (const type of SCALARS) types.set(type.oid, type);
  for (const type of [
    vectorOf(OID.int2vector, 'int2vector', types.get(OID.int2)!, 1006),
    vectorOf(OID.oidvector, 'oidvector', types.get(OID.oid)!, 1013),
  ])
    types.set(type.oid, type);
  for (const type of SCALARS) if (type.arrayOid !== 0) types.set(type.arrayOid, arrayOf(type));
  return types;
}

export const TYPES: ReadonlyMap<number, TypeInfo> = buildTypes();
const BY_NAME: ReadonlyMap<string, TypeInfo> = new Map([...TYPES.values()].map((type) => [type.name, type]));

export function typeOf(oid: number): TypeInfo {
  const type = TYPES.get(oid);
  if (type === undefined) throw new DatabaseError('42704', `type with OID ${oid} does not exist`);
  return type;
}

export function typeByName(name: string): TypeInfo | undefined {
  return BY_NAME.get(name);
}

export function ref(oid: number, modifier = -1): TypeRef {
  return { oid, modifier };
}

/** The name of a type with its modifier, as `format_type` shows it. */
export function formatType({ oid, modifier }: TypeRef): string {
  const type = TYPES.get(oid);
  if (type === undefined) return '???';
  if (type.elementOid !== 0 && type.category === 'A' && type.name.startsWith('_'))
    return `${formatType({ oid: type.elementOid, modifier })}[]`;
  if (modifier < 0) return oid === OID.bpchar ? 'bpchar' : type.sqlName;
  if (oid === OID.numeric) return `numeric(${(modifier - 4) >> 16},${(modifier - 4) & 0xffff})`;
  if (oid === OID.varchar || oid === OID.bpchar) return `${type.sqlName}(${modifier - 4})`;
  return type.sqlName.replace(/^(\w+)/, `$1(${modifier})`);
}

/**
 * Makes a value fit its type's modifier: cuts blanks, pads char(n), rounds numeric and fractions of a second.
 * @param explicit true for a cast, which cuts silently. @throws DatabaseError 22001, 22003
 */
export function applyModifier(
  value: NonNullable<Value>,
  type: TypeRef,
  explicit: boolean,
): NonNullable<Value> {
  const { oid, modifier } = type;
  if (modifier < 0) return value;
  switch (oid) {
    case OID.varchar:
    case OID.bpchar:
      return fitText(value as string, modifier - 4, type, explicit);
    case OID.numeric:
      return applyPrecision(value as Numeric, (modifier - 4) >> 16, (modifier - 4) & 0xffff);
    case OID.timestamp:
    case OID.timestamptz:
      return roundMicros(value as bigint, modifier);
    default:
      return value;
  }
}

function fitText(value: string, limit: number, type: TypeRef, explicit: boolean): string {
  const length = codePointLength(value);
  const pad = (text: string, size: number): string =>
    type.oid === OID.bpchar ? text + ' '.repeat(limit - size) : text;
  if (length <= limit) return pad(value, length);
  const cut = [...value].slice(0, limit).join('');
  if (!explicit && value.slice(cut.length).trim() !== '')
    throw new DatabaseError('22001', `value too long for type ${formatType(type)}`);
  return cut;
}

export function codePointLength(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) length--;
  return length;
}

function roundMicros(value: bigint, digits: number): bigint {
  if (digits >= 6) return value;
  const unit = 10n ** BigInt(6 - digits);
  const half = value < 0n ? -unit / 2n : unit / 2n;
  return ((value + half) / unit) * unit;
}
