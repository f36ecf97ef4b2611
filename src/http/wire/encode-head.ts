/**
 * Heads out. Every method, target, name and value is checked against its grammar here, the only place that
 * writes them, so that no value from anywhere can end a line and begin another (response splitting).
 */
import { OctetError } from '../../core/errors.ts';
import type { HeaderList } from '../types.ts';
import { equalsIgnoreCase, FIELD_VALUE, isTarget, isToken, TOKEN } from './grammar.ts';
import { reasonOf } from './status.ts';

/** What our side tried to send is not HTTP; a bug of the caller, or an attack that reached a header value. */
export class UnsendableError extends OctetError<'unsendable'> {
  constructor(message: string) {
    super('unsendable', message);
  }
}

/** @returns the field lines, each with its CRLF. @throws UnsendableError */
export function encodeFields(fields: HeaderList): string {
  let text = '';
  for (const [name, value] of fields) text += encodeField(name, value);
  return text;
}

/** @throws UnsendableError when the name is no token or the value has a character outside latin1, or a control */
export function encodeField(name: string, value: string): string {
  checkName(name);
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code > 0xff || FIELD_VALUE[code] === 0)
      throw new UnsendableError(`the value of field ${name} is not sendable`);
  }
  return `${name}: ${value}\r\n`;
}

function checkName(name: string): void {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code > 0xff || TOKEN[code] === 0) throw new UnsendableError('a field name is not a token');
  }
  if (name === '') throw new UnsendableError('a field name is empty');
}

/** The fields that belong to the connection rather than to the caller. */
export type FramingField = 'connection' | 'content-length' | 'transfer-encoding';

export function framingField(name: string): FramingField | undefined {
  if (name.length === 10 && equalsIgnoreCase(name, 'connection')) return 'connection';
  if (name.length === 14 && equalsIgnoreCase(name, 'content-length')) return 'content-length';
  if (name.length === 17 && equalsIgnoreCase(name, 'transfer-encoding')) return 'transfer-encoding';
  return undefined;
}

/** @throws UnsendableError */
export function encodeRequestLine(method: string, target: string): string {
  if (!isToken(method)) throw new UnsendableError('the method is not a token');
  if (!isTarget(target)) throw new UnsendableError('the request target has a character it must not have');
  return `${method} ${target} HTTP/1.1\r\n`;
}

const STATUS_LINES = new Map<number, string>(
  [200, 201, 204, 206, 301, 302, 304, 400, 403, 404, 409, 412, 500, 502, 503].map((status) => [
    status,
    `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`,
  ]),
);

/** @throws UnsendableError */
export function encodeStatusLine(status: number): string {
  const usual = STATUS_LINES.get(status);
  if (usual !== undefined) return usual;
  if (!Number.isInteger(status) || status < 100 || status > 599)
    throw new UnsendableError('the status is not 100 to 599');
  return `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
}
