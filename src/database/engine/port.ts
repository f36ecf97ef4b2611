/** The engine behind the protocol's own interface: values ⇄ wire formats, plans ⇄ descriptions. */
import { DatabaseError } from '../errors.ts';
import { Backend, type BackendEvents, type Portal, type Prepared } from './backend.ts';
import type { BoundColumn } from './bind/bound.ts';
import type { Database } from './database.ts';
import { durationMs } from './settings.ts';
import type { ParsedStatement } from './sql/parser.ts';
import { decodeText, fromBinary, toBinary } from './types/binary.ts';
import type { ConversionContext } from './types/types.ts';
import { TYPES, typeOf } from './types/types.ts';
import type { Value } from './types/values.ts';

export interface WireColumn {
  readonly name: string;
  readonly tableOid: number;
  readonly columnNumber: number;
  readonly typeOid: number;
  readonly typeSize: number;
  readonly typeModifier: number;
  readonly format: 0 | 1;
}

export interface BindRequest {
  readonly parameterFormats: readonly number[];
  readonly parameters: readonly (Buffer | null)[];
  readonly resultFormats: readonly number[];
}

export interface WirePortal {
  describe(): readonly WireColumn[];
  run(
    maxRows: number,
    sink: (row: readonly (string | Buffer | null)[]) => void,
    more: () => boolean,
  ): ReturnType<Portal['run']>;
  close(): void;
}

export class BackendPort {
  readonly backend: Backend;

  constructor(database: Database, processId: number, events: BackendEvents) {
    this.backend = new Backend(database, processId, events);
  }

  get status(): Backend['status'] {
    return this.backend.status;
  }

  reportedSettings(): readonly (readonly [name: string, value: string])[] {
    return this.backend.settings.reported();
  }

  start(setting: string, value: string): void {
    this.backend.settings.start(setting, value);
  }

  parse(sql: string): ParsedStatement[] {
    return this.backend.parse(sql);
  }

  prepare(parsed: ParsedStatement, types: readonly number[]): Prepared {
    for (const oid of types)
      if (oid !== 0 && !TYPES.has(oid))
        throw new DatabaseError('42704', `type with OID ${oid} does not exist`);
    return this.backend.prepare(parsed, types);
  }

  describe(prepared: Prepared): readonly WireColumn[] {
    return prepared.columns.map((column) => describeColumn(column, 0));
  }

  open(prepared: Prepared, request: BindRequest): WirePortal {
    const { backend } = this;
    const { conversion } = backend;
    const params = request.parameters.map((bytes, i) =>
      readParameter(
        bytes,
        formatOf(request.parameterFormats, i, request.parameters.length),
        prepared.parameters[i]!,
        conversion,
      ),
    );
    const portal = backend.open(prepared, params);
    const { columns } = prepared;
    const formats = columns.map((_, i) => formatOf(request.resultFormats, i, columns.length));
    const encoders = columns.map((column, i) => encoderOf(column, formats[i]!));
    return {
      describe: () => columns.map((column, i) => describeColumn(column, formats[i]!)),
      run: (maxRows, sink, more) => {
        // The session's zone as it is now: SET TIME ZONE may stand between Bind and Execute.
        const context = backend.conversion;
        return portal.run(
          maxRows,
          (values) => sink(values.map((value, i) => (value === null ? null : encoders[i]!(value, context)))),
          more,
        );
      },
      close: () => portal.close(),
    };
  }

  beginStatement(): void {
    this.backend.beginStatement();
  }

  remainingMs(): number | undefined {
    return this.backend.remainingMs();
  }

  lockTimeoutMs(): number | undefined {
    return durationMs(this.backend.settings.show('lock_timeout')) || undefined;
  }

  endImplicit(): Promise<void> | undefined {
    return this.backend.endImplicit();
  }

  fail(): void {
    this.backend.fail();
  }

  cancel(): void {
    this.backend.cancel();
  }

  close(): void {
    this.backend.close();
  }
}

/** No code: text. One: for all. Else one each. @throws DatabaseError 08P01, 22023 */
function formatOf(formats: readonly number[], i: number, count: number): 0 | 1 {
  if (formats.length > 1 && formats.length !== count)
    throw new DatabaseError('08P01', `bind message has ${formats.length} format codes but ${count} values`);
  const format = formats.length === 0 ? 0 : formats.length === 1 ? formats[0]! : formats[i]!;
  if (format !== 0 && format !== 1) throw new DatabaseError('22023', `unsupported format code: ${format}`);
  return format;
}

function readParameter(
  bytes: Buffer | null,
  format: number,
  oid: number,
  conversion: ConversionContext,
): Value {
  if (bytes === null) return null;
  return format === 1
    ? fromBinary(Buffer.from(bytes), oid)
    : typeOf(oid).parse(decodeText(bytes), conversion);
}

function describeColumn({ name, table, number, type }: BoundColumn, format: 0 | 1): WireColumn {
  return {
    name,
    tableOid: table,
    columnNumber: number,
    typeOid: type.oid,
    typeSize: TYPES.get(type.oid)?.length ?? -1,
    typeModifier: type.modifier,
    format,
  };
}

type Encoder = (value: NonNullable<Value>, context: ConversionContext) => string | Buffer;

function encoderOf({ type }: BoundColumn, format: number): Encoder {
  if (format === 1) return (value) => toBinary(value, type.oid);
  const { print } = typeOf(type.oid);
  return (value, context) => print(value, context);
}
