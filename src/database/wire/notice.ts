/**
 * ErrorResponse and NoticeResponse: fields of one letter each, ended by a zero byte (manual, section 55.8).
 *
 *     S severity  V severity, never translated  C SQLSTATE  M message  D detail  H hint  P position
 *     s schema  t table  c column  d data type  n constraint  R routine  W where  F file  L line
 */
import { ByteReader } from '../../core/bytes/reader.ts';
import type { ByteWriter } from '../../core/bytes/writer.ts';
import type { DatabaseError } from '../errors.ts';

/** What travels, by its letter. */
export type NoticeFields = ReadonlyMap<string, string>;

/**
 * Writes the fields and the zero byte that ends them.
 * @param sql the statement that the error's offset counts in; the wire counts its characters from 1
 */
export function writeNotice(into: ByteWriter, error: DatabaseError, sql: string | undefined): void {
  const { fields } = error;
  const write = (letter: string, value: string | undefined): void => {
    if (value !== undefined) into.latin1(letter).cString(value.replaceAll('\0', ''));
  };
  write('S', error.severity);
  write('V', error.severity);
  write('C', error.code);
  write('M', error.message);
  write('D', fields.detail);
  write('H', fields.hint);
  if (fields.at !== undefined && sql !== undefined) write('P', String(characterPosition(sql, fields.at)));
  write('s', fields.schema);
  write('t', fields.table);
  write('c', fields.column);
  write('d', fields.dataType);
  write('n', fields.constraint);
  write('R', fields.routine);
  into.uint8(0);
}

/** UTF-16 offset → character number from 1: an astral character is one character and two units. */
function characterPosition(sql: string, at: number): number {
  let characters = 1;
  for (let unit = 0; unit < at && unit < sql.length; unit++) {
    const code = sql.charCodeAt(unit);
    const isLowSurrogate = code >= 0xdc00 && code <= 0xdfff;
    if (!isLowSurrogate) characters++;
  }
  return characters;
}

/** @throws ShortRead when the body ends early */
export function readNotice(body: Buffer): NoticeFields {
  const reader = new ByteReader(body);
  const fields = new Map<string, string>();
  for (let letter = reader.uint8(); letter !== 0; letter = reader.uint8()) {
    fields.set(String.fromCharCode(letter), reader.cString());
  }
  return fields;
}
