/**
 * Methods between their payload and a typed object, driven by the table in `specification.ts`.
 *
 *     method payload   uint16 class │ uint16 method │ arguments in the order of the table
 *
 * Neighbouring bits fill an octet from its lowest bit. Section 2.3.5.1 and 4.2.5.
 */
import { ByteReader } from '../../core/bytes/reader.ts';
import type { ByteWriter } from '../../core/bytes/writer.ts';
import { AmqpError } from '../errors.ts';
import {
  EMPTY_TABLE,
  type FieldTable,
  readShortString,
  readTable,
  strictly,
  writeShortString,
  writeTable,
} from './field-table.ts';
import { type FieldKind, METHODS, type MethodDefinition, type MethodName } from './specification.ts';

/** What each kind of argument is in TypeScript. A `longlong` past 2^53 loses precision; no tag gets there. */
interface ValueOf {
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  longlong: number;
  shortstr: string;
  longstr: Buffer;
  timestamp: number;
  table: FieldTable;
}

type FieldsOf<Name extends MethodName> = (typeof METHODS)[Name]['fields'];

/** The arguments of one method, without the reserved ones. */
export type MethodArguments<Name extends MethodName> = {
  readonly [Field in keyof FieldsOf<Name> as Field extends `reserved${string}`
    ? never
    : Field]: FieldsOf<Name>[Field] extends FieldKind ? ValueOf[FieldsOf<Name>[Field]] : never;
};

/** One method; of several names, the union of their methods. */
export type MethodOf<Name extends MethodName> = Name extends MethodName
  ? { readonly method: Name } & MethodArguments<Name>
  : never;

/** Any method: a union told apart by `method`. */
export type Method = { [Name in MethodName]: MethodOf<Name> }[MethodName];

interface Layout extends MethodDefinition {
  readonly name: MethodName;
  readonly steps: readonly (readonly [name: string, kind: FieldKind, reserved: boolean])[];
}

const LAYOUTS: Readonly<Record<MethodName, Layout>> = Object.fromEntries(
  Object.entries(METHODS as Record<string, MethodDefinition>).map(([name, definition]) => [
    name,
    {
      ...definition,
      name: name as MethodName,
      steps: Object.entries(definition.fields).map(
        ([field, kind]) => [field, kind, field.startsWith('reserved')] as const,
      ),
    },
  ]),
) as unknown as Record<MethodName, Layout>;

const BY_ID: ReadonlyMap<number, Layout> = new Map(
  Object.values(LAYOUTS).map((layout) => [idOf(layout.classId, layout.methodId), layout]),
);

const KNOWN_CLASSES: ReadonlySet<number> = new Set(Object.values(LAYOUTS).map((layout) => layout.classId));

function idOf(classId: number, methodId: number): number {
  return classId * 0x1_0000 + methodId;
}

/**
 * Decodes the payload of one method frame.
 * @throws AmqpError `syntax-error` for arguments that do not fit the table, `not-implemented` for a class,
 *   `command-invalid` for a method that does not exist
 */
export function decodeMethod(payload: Buffer): Method {
  return strictly('a method frame', () => {
    const reader = new ByteReader(payload);
    const layout = layoutOf(reader.uint16(), reader.uint16());
    const decoded: Record<string, unknown> = { method: layout.name };
    readArguments(reader, layout, decoded);
    if (reader.remaining > 0) {
      throw new AmqpError('syntax-error', `${reader.remaining} bytes after the arguments of ${layout.name}`);
    }
    return decoded as unknown as Method;
  });
}

function layoutOf(classId: number, methodId: number): Layout {
  const layout = BY_ID.get(idOf(classId, methodId));
  if (layout !== undefined) return layout;
  if (!KNOWN_CLASSES.has(classId)) throw new AmqpError('not-implemented', `unknown class ${classId}`);
  throw new AmqpError('command-invalid', `class ${classId} has no method ${methodId}`);
}

function readArguments(reader: ByteReader, layout: Layout, into: Record<string, unknown>): void {
  let bits = 0;
  let bitIndex = 8;
  for (const [name, kind, reserved] of layout.steps) {
    if (kind === 'bit') {
      if (bitIndex > 7) {
        bits = reader.uint8();
        bitIndex = 0;
      }
      if (!reserved) into[name] = ((bits >> bitIndex) & 1) === 1;
      bitIndex += 1;
      continue;
    }
    bitIndex = 8;
    const value = readArgument(reader, kind);
    if (!reserved) into[name] = value;
  }
}

function readArgument(reader: ByteReader, kind: Exclude<FieldKind, 'bit'>): unknown {
  switch (kind) {
    case 'octet':
      return reader.uint8();
    case 'short':
      return reader.uint16();
    case 'long':
      return reader.uint32();
    case 'longlong':
    case 'timestamp':
      return reader.uint32() * 0x1_0000_0000 + reader.uint32();
    case 'shortstr':
      return readShortString(reader);
    case 'longstr':
      return Buffer.from(reader.take(reader.uint32()));
    case 'table':
      return readTable(reader);
  }
}

/** Appends the payload of a method frame. */
export function encodeMethod<Name extends MethodName>(
  writer: ByteWriter,
  name: Name,
  values: MethodArguments<Name>,
): void {
  const layout = LAYOUTS[name];
  writer.uint16(layout.classId).uint16(layout.methodId);
  const source = values as Readonly<Record<string, unknown>>;
  let bits = 0;
  let bitCount = 0;
  for (const [field, kind] of layout.steps) {
    if (kind === 'bit') {
      if (bitCount === 8) {
        writer.uint8(bits);
        bits = bitCount = 0;
      }
      if (source[field] === true) bits |= 1 << bitCount;
      bitCount += 1;
      continue;
    }
    if (bitCount > 0) {
      writer.uint8(bits);
      bits = bitCount = 0;
    }
    writeArgument(writer, kind, source[field]);
  }
  if (bitCount > 0) writer.uint8(bits);
}

/** A value left out is a reserved field: zero, or empty. */
function writeArgument(writer: ByteWriter, kind: Exclude<FieldKind, 'bit'>, value: unknown): void {
  switch (kind) {
    case 'octet':
      return void writer.uint8((value as number | undefined) ?? 0);
    case 'short':
      return void writer.uint16((value as number | undefined) ?? 0);
    case 'long':
      return void writer.uint32((value as number | undefined) ?? 0);
    case 'longlong':
    case 'timestamp': {
      const whole = (value as number | undefined) ?? 0;
      return void writer.uint32(Math.floor(whole / 0x1_0000_0000)).uint32(whole % 0x1_0000_0000);
    }
    case 'shortstr':
      return writeShortString(writer, (value as string | undefined) ?? '');
    case 'longstr': {
      const bytes = (value as Buffer | undefined) ?? Buffer.alloc(0);
      return void writer.uint32(bytes.length).bytes(bytes);
    }
    case 'table':
      return writeTable(writer, (value as FieldTable | undefined) ?? EMPTY_TABLE);
  }
}

/** Class and method number by name, for `connection.close` and `channel.close`. */
export function idsOf(name: MethodName): { readonly classId: number; readonly methodId: number } {
  return LAYOUTS[name];
}
