/**
 * JSON ⇄ columns: what a table's columns take, and how their values look in JSON.
 */
import { HttpError } from '../http/index.ts';
import type { Column, QueryResult, SqlValue } from './database.ts';

export type Row = Readonly<Record<string, unknown>>;

type Kind = 'integer' | 'number' | 'boolean' | 'json' | 'text';

const kinds: Readonly<Record<string, Kind>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  float4: 'number',
  float8: 'number',
  numeric: 'number',
  bool: 'boolean',
  json: 'json',
  jsonb: 'json',
};

function kindOf(column: Column): Kind {
  return kinds[column.type] ?? 'text';
}

/** What a column's values look like in JSON, as a JSON Schema (2020-12). Any may be null. */
export function schemaOf(column: Column): Readonly<Record<string, unknown>> {
  switch (kindOf(column)) {
    case 'boolean':
      return { type: ['boolean', 'null'] };
    case 'integer':
      // Beyond 2^53 as text.
      return { type: column.type === 'int8' ? ['integer', 'string', 'null'] : ['integer', 'null'] };
    case 'number':
      // NaN and the infinities as text.
      return { type: ['number', 'string', 'null'] };
    case 'json':
      return {};
    case 'text':
      return {
        type: ['string', 'null'],
        ...(column.type === 'timestamptz' ? { format: 'date-time' } : {}),
      };
  }
}

/** Rows as JSON values. An int8 beyond 2^53 stays text, for JSON numbers would lose its end. */
export function rowsOf(result: QueryResult): Row[] {
  return result.rows.map((values) => {
    const row: Record<string, unknown> = {};
    for (const [index, column] of result.columns.entries()) {
      Object.defineProperty(row, column.name, {
        value: toJson(column, values[index] ?? null),
        enumerable: true,
      });
    }
    return row;
  });
}

function toJson(column: Column, value: string | null): unknown {
  if (value === null) return null;
  switch (kindOf(column)) {
    case 'boolean':
      return value === 't';
    case 'integer':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case 'number':
      return Number.isFinite(Number(value)) ? Number(value) : value;
    case 'json':
      return JSON.parse(value) as unknown;
    case 'text':
      return column.type === 'timestamptz' ? isoTime(value) : value;
  }
}

/** `2026-11-23 01:02:03.5+00` → `2026-11-23T01:02:03.500Z`; what Date cannot hold stays as it is. */
function isoTime(value: string): string {
  const time = new Date(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  return Number.isNaN(time.getTime()) ? value : time.toISOString();
}

export interface Assignment {
  readonly column: Column;
  readonly value: SqlValue;
}

/**
 * Checks a JSON object against the columns it names.
 * @throws HttpError 422 naming each field that does not fit
 */
export function assignmentsOf(columns: readonly Column[], body: unknown): Assignment[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new HttpError(422, 'the body must be a JSON object of columns');
  }
  const assignments: Assignment[] = [];
  const faults: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined) {
      faults.push(`${name}: there is no such column`);
      continue;
    }
    const checked = fromJson(column, value);
    if (checked.ok) assignments.push({ column, value: checked.value });
    else faults.push(`${name}: must be ${checked.expected}`);
  }
  if (faults.length > 0) throw new HttpError(422, faults.join('; '));
  return assignments;
}

type Checked =
  | { readonly ok: true; readonly value: SqlValue }
  | { readonly ok: false; readonly expected: string };

function fromJson(column: Column, value: unknown): Checked {
  if (value === null) return { ok: true, value: null };
  const fits = (ok: boolean, expected: string, sql: () => SqlValue): Checked =>
    ok ? { ok: true, value: sql() } : { ok: false, expected };
  switch (kindOf(column)) {
    case 'boolean':
      return fits(typeof value === 'boolean', 'true or false', () => value as boolean);
    case 'integer':
      return fits(Number.isSafeInteger(value) || isIntegerText(value), 'a whole number', () => String(value));
    case 'number':
      return fits(typeof value === 'number', 'a number', () => String(value));
    case 'json':
      return { ok: true, value: JSON.stringify(value) };
    case 'text':
      return fits(typeof value === 'string', 'a string', () => value as string);
  }
}

/** Large integers travel as text, both ways. */
function isIntegerText(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || value.length > 20) return false;
  const digits = value.startsWith('-') ? value.slice(1) : value;
  return digits !== '' && [...digits].every((digit) => digit >= '0' && digit <= '9');
}

/** A value from a URL, for comparison with a column. @throws HttpError 400 */
export function fromUrl(column: Column, text: string): SqlValue {
  switch (kindOf(column)) {
    case 'boolean':
      if (text === 'true' || text === 'false') return text;
      throw new HttpError(400, `${column.name}: must be true or false`);
    case 'integer':
      if (isIntegerText(text)) return text;
      throw new HttpError(400, `${column.name}: must be a whole number`);
    case 'number':
      if (text.trim() !== '' && Number.isFinite(Number(text))) return text;
      throw new HttpError(400, `${column.name}: must be a number`);
    case 'json':
      throw new HttpError(400, `${column.name}: JSON columns cannot be compared`);
    case 'text':
      return text;
  }
}
