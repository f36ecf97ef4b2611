/** Aggregate functions: a state per group, a step per row, a result at the end. */
import { DatabaseError } from '../../errors.ts';
import type { Run } from '../execute/run.ts';
import type { Interval } from '../types/datetime.ts';
import { quoteJson, toJsonb } from '../types/json.ts';
import {
  addNumeric,
  divideNumeric,
  fromBigint,
  multiplyNumeric,
  NUMERIC_ZERO,
  Numeric,
  sqrtNumeric,
  subtractNumeric,
} from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { checkInt8, scaleInterval } from './arithmetic.ts';
import { jsonOf } from './json-values.ts';

/** Types of the arguments as bound, and of the result. */
export interface AggregateTypes {
  readonly args: readonly number[];
}

export interface Accumulator {
  /** NULL arguments come only to aggregates that want them. */
  step(args: readonly Value[], run: Run): void;
  result(run: Run): Value;
}

export interface AggregateDefinition {
  readonly oid: number;
  readonly name: string;
  readonly args: readonly number[];
  readonly result: number;
  /** False: rows with a NULL argument are stepped too. */
  readonly strict: boolean;
  readonly start: (types: AggregateTypes) => Accumulator;
}

const {
  bool,
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,
  text,
  interval,
  any,
  anyelement,
  anyarray,
  json,
  jsonb,
  bytea,
} = OID;

function reduce(first: Value, step: (state: Value, value: NonNullable<Value>) => Value): () => Accumulator {
  return () => {
    let state = first;
    return {
      step: ([value]) => {
        state = step(state, value!);
      },
      result: () => state,
    };
  };
}

/** The first value starts the state; no row at all gives NULL. */
function fold(step: (state: never, value: never) => Value): () => Accumulator {
  return reduce(null, (state, value) => (state === null ? value : step(state as never, value as never)));
}

function count(): Accumulator {
  let rows = 0;
  return { step: () => void rows++, result: () => BigInt(rows) };
}

/** Sum and number of rows, from which `finish` makes the average. */
function average<S extends Value>(
  zero: S,
  add: (sum: S, value: never) => S,
  finish: (sum: S, rows: number) => Value,
): () => Accumulator {
  return () => {
    let sum = zero;
    let rows = 0;
    return {
      step: ([value]) => {
        sum = add(sum, value as never);
        rows++;
      },
      result: () => (rows === 0 ? null : finish(sum, rows)),
    };
  };
}

const meanOfInts = average<bigint>(
  0n,
  (sum, v: number | bigint) => sum + BigInt(v),
  (sum, n) => divideNumeric(fromBigint(sum), fromBigint(BigInt(n))),
);
const meanOfFloats = average<number>(
  0,
  (sum, v: number) => sum + v,
  (sum, n) => sum / n,
);
const meanOfNumerics = average<Numeric>(
  NUMERIC_ZERO,
  (sum, v: Numeric) => addNumeric(sum, v),
  (sum, n) => divideNumeric(sum, fromBigint(BigInt(n))),
);

function addIntervals(a: Interval, b: Interval): Interval {
  return { months: a.months + b.months, days: a.days + b.days, micros: a.micros + b.micros };
}

const meanOfIntervals = average<Interval>(
  { months: 0, days: 0, micros: 0n },
  (sum, v: Interval) => addIntervals(sum, v),
  (sum, n) => scaleInterval(sum, 1 / n),
);

/** Welford's running variance. */
function variance(sample: boolean, root: boolean): () => Accumulator {
  return () => {
    let rows = 0;
    let mean = 0;
    let squares = 0;
    return {
      step: ([value]) => {
        const x = Number(String(value));
        rows++;
        const delta = x - mean;
        mean += delta / rows;
        squares += delta * (x - mean);
      },
      result: () => {
        const divisor = sample ? rows - 1 : rows;
        if (divisor <= 0) return null;
        return root ? Math.sqrt(squares / divisor) : squares / divisor;
      },
    };
  };
}

function extreme(sign: number): (types: AggregateTypes) => Accumulator {
  return ({ args }) => {
    const { compare, sqlName } = typeOf(args[0]!);
    if (compare === undefined)
      throw new DatabaseError('42883', `could not identify an ordering operator for type ${sqlName}`);
    let best: Value = null;
    return {
      step: ([value]) => {
        if (best === null || sign * compare(value!, best) < 0) best = value!;
      },
      result: () => best,
    };
  };
}

function collect(
  finish: (values: readonly Value[][], run: Run, types: AggregateTypes) => Value,
): (types: AggregateTypes) => Accumulator {
  return (types) => {
    const rows: Value[][] = [];
    return {
      step: (args, run) => {
        run.hold(1);
        rows.push([...args]);
      },
      result: (run) => (rows.length === 0 ? null : finish(rows, run, types)),
    };
  };
}

function joinTexts(rows: readonly Value[][]): Value {
  let out = '';
  rows.forEach(([value, separator], i) => {
    out += (i === 0 ? '' : (separator ?? '')) + String(value);
  });
  return out;
}

function jsonArray(rows: readonly Value[][], run: Run, { args }: AggregateTypes): string {
  return `[${rows.map(([value]) => jsonOf(value!, args[0]!, run)).join(', ')}]`;
}

function jsonObject(rows: readonly Value[][], run: Run, { args }: AggregateTypes): string {
  const members = rows.map(([key, value]) => {
    if (key === null) throw new DatabaseError('22004', 'field name must not be null');
    return `${quoteJson(typeOf(args[0]!).print(key!, run.conversion))} : ${jsonOf(value!, args[1]!, run)}`;
  });
  return `{ ${members.join(', ')} }`;
}

let nextOid = 2100;
function define(
  name: string,
  args: readonly number[],
  result: number,
  start: AggregateDefinition['start'],
  strict = true,
): AggregateDefinition {
  return { oid: nextOid++, name, args, result, strict, start };
}

/** Exact variance: (n Σx² - (Σx)²) / (n (n - 1)), and its root. */
function exactVariance(sample: boolean, root: boolean): () => Accumulator {
  return () => {
    let rows = 0n;
    let sum = NUMERIC_ZERO;
    let squares = NUMERIC_ZERO;
    return {
      step: ([value]) => {
        const x = value instanceof Numeric ? value : fromBigint(BigInt(value as number | bigint));
        rows++;
        sum = addNumeric(sum, x);
        squares = addNumeric(squares, multiplyNumeric(x, x));
      },
      result: () => {
        const divisor = rows * (sample ? rows - 1n : rows);
        if (divisor <= 0n) return null;
        const numerator = subtractNumeric(
          multiplyNumeric(fromBigint(rows), squares),
          multiplyNumeric(sum, sum),
        );
        const quotient = divideNumeric(numerator, fromBigint(divisor));
        return root ? sqrtNumeric(quotient) : quotient;
      },
    };
  };
}

const statistics = [int2, int4, int8, numeric, float4, float8].flatMap((type) => {
  const isFloat = type === float4 || type === float8;
  const result = isFloat ? float8 : numeric;
  const make = isFloat ? variance : exactVariance;
  return [
    define('stddev', [type], result, make(true, true)),
    define('stddev_samp', [type], result, make(true, true)),
    define('stddev_pop', [type], result, make(false, true)),
    define('variance', [type], result, make(true, false)),
    define('var_samp', [type], result, make(true, false)),
    define('var_pop', [type], result, make(false, false)),
  ];
});

const AGGREGATES: readonly AggregateDefinition[] = [
  define('count', [], int8, count, false),
  define('count', [any], int8, count),
  define(
    'sum',
    [int2],
    int8,
    fold((a: bigint | number, b: number) => checkInt8(BigInt(a) + BigInt(b))),
  ),
  define(
    'sum',
    [int4],
    int8,
    fold((a: bigint | number, b: number) => checkInt8(BigInt(a) + BigInt(b))),
  ),
  define(
    'sum',
    [int8],
    numeric,
    reduce(null, (a, b) => addNumeric((a as Numeric) ?? NUMERIC_ZERO, fromBigint(b as bigint))),
  ),
  define('sum', [numeric], numeric, fold(addNumeric)),
  define(
    'sum',
    [float4],
    float4,
    fold((a: number, b: number) => Math.fround(a + b)),
  ),
  define(
    'sum',
    [float8],
    float8,
    fold((a: number, b: number) => a + b),
  ),
  define('sum', [interval], interval, fold(addIntervals)),
  define('avg', [int2], numeric, meanOfInts),
  define('avg', [int4], numeric, meanOfInts),
  define('avg', [int8], numeric, meanOfInts),
  define('avg', [numeric], numeric, meanOfNumerics),
  define('avg', [float4], float8, meanOfFloats),
  define('avg', [float8], float8, meanOfFloats),
  define('avg', [interval], interval, meanOfIntervals),
  define('min', [anyelement], anyelement, extreme(1)),
  define('max', [anyelement], anyelement, extreme(-1)),
  define(
    'bool_and',
    [bool],
    bool,
    fold((a: boolean, b: boolean) => a && b),
  ),
  define(
    'every',
    [bool],
    bool,
    fold((a: boolean, b: boolean) => a && b),
  ),
  define(
    'bool_or',
    [bool],
    bool,
    fold((a: boolean, b: boolean) => a || b),
  ),
  define(
    'bit_and',
    [int4],
    int4,
    fold((a: number, b: number) => a & b),
  ),
  define(
    'bit_or',
    [int4],
    int4,
    fold((a: number, b: number) => a | b),
  ),
  define(
    'bit_and',
    [int8],
    int8,
    fold((a: bigint, b: bigint) => a & b),
  ),
  define(
    'bit_or',
    [int8],
    int8,
    fold((a: bigint, b: bigint) => a | b),
  ),
  define(
    'string_agg',
    [text, text],
    text,
    collect((rows) => {
      const present = rows.filter(([value]) => value !== null);
      return present.length === 0 ? null : joinTexts(present);
    }),
    false,
  ),
  define(
    'string_agg',
    [bytea, bytea],
    bytea,
    collect((rows) =>
      Buffer.concat(
        rows.flatMap(([value, separator], i) => (i === 0 ? [value] : [separator, value]) as Buffer[]),
      ),
    ),
  ),
  define(
    'array_agg',
    [anyelement],
    anyarray,
    collect((rows) => rows.map(([value]) => value!)),
    false,
  ),
  define('json_agg', [anyelement], json, collect(jsonArray), false),
  define(
    'jsonb_agg',
    [anyelement],
    jsonb,
    collect((rows, run, types) => toJsonb(jsonArray(rows, run, types))),
    false,
  ),
  define('json_object_agg', [any, any], json, collect(jsonObject), false),
  define(
    'jsonb_object_agg',
    [any, any],
    jsonb,
    collect((rows, run, types) => toJsonb(jsonObject(rows, run, types))),
    false,
  ),
  ...statistics,
];

const BY_NAME: ReadonlyMap<string, readonly AggregateDefinition[]> = Map.groupBy(
  AGGREGATES,
  (aggregate) => aggregate.name,
);

export function aggregatesNamed(name: string): readonly AggregateDefinition[] {
  return BY_NAME.get(name) ?? [];
}

export const AGGREGATE_LIST = AGGREGATES;
