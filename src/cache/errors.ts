/**
 * Errors in the protocol's own terms. A RESP error is one line whose first word is its code: `ERR`,
 * `WRONGTYPE`, `NOAUTH` and so on. Clients read both the word and the sentence after it, so the sentences
 * here are those that existing clients and their tests expect.
 */
import { OctetError } from '../core/errors.ts';

/** The first word of an error reply. */
export type ReplyCode =
  | 'ERR'
  | 'WRONGTYPE'
  | 'NOAUTH'
  | 'WRONGPASS'
  | 'NOPERM'
  | 'NOPROTO'
  | 'NOSCRIPT'
  | 'EXECABORT'
  | 'OOM'
  | 'BUSYKEY'
  | 'UNBLOCKED'
  | 'NOGROUP'
  | 'BUSYGROUP'
  | 'INVALIDOBJ'
  | 'MISCONF';

/** What can go wrong outside of a reply: starting the server, or between our client and a server. */
export type LocalCode =
  | 'insecure-bind'
  | 'bad-option'
  | 'bad-url'
  | 'closed'
  | 'timeout'
  | 'overloaded'
  | 'protocol-violation'
  | 'error-reply';

export type CacheCode = ReplyCode | LocalCode;

/**
 * Raised by a command handler (code is the reply's first word, `message` the rest), by `startCache`, or by
 * the client, where `error-reply` carries the server's whole line as its message and `prefix` its first word.
 */
export class CacheError extends OctetError<CacheCode> {
  /** The first word of the error reply, for any server's codes, ours or not. */
  get prefix(): string {
    if (this.code !== 'error-reply') return this.code;
    const space = this.message.indexOf(' ');
    return space < 0 ? this.message : this.message.slice(0, space);
  }
}

/** The line of an error reply, without its `-`. */
export function replyLine(error: CacheError): string {
  return `${error.code} ${error.message}`;
}

function reply(code: ReplyCode, message: string): CacheError {
  return new CacheError(code, message, { fault: 'remote' });
}

export const failure = (message: string): CacheError => reply('ERR', message);
export const syntaxError = (): CacheError => failure('syntax error');
export const notAnInteger = (): CacheError => failure('value is not an integer or out of range');
export const notAFloat = (): CacheError => failure('value is not a valid float');
export const noSuchKey = (): CacheError => failure('no such key');
export const outOfRange = (): CacheError => failure('index out of range');
export const notPositive = (): CacheError => failure('value is out of range, must be positive');
export const invalidExpire = (command: string): CacheError =>
  failure(`invalid expire time in '${command}' command`);
export const wrongArity = (command: string): CacheError =>
  failure(`wrong number of arguments for '${command}' command`);
export const stringTooLong = (): CacheError =>
  failure('string exceeds maximum allowed size (proto-max-bulk-len)');
export const wrongType = (): CacheError =>
  reply('WRONGTYPE', 'Operation against a key holding the wrong kind of value');
export const noAuth = (): CacheError => reply('NOAUTH', 'Authentication required.');
export const noAuthHello = (): CacheError =>
  reply(
    'NOAUTH',
    'HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
  );
export const wrongPassword = (): CacheError =>
  reply('WRONGPASS', 'invalid username-password pair or user is disabled.');
export const noProtocol = (): CacheError => reply('NOPROTO', 'unsupported protocol version');
export const outOfMemory = (): CacheError =>
  reply('OOM', "command not allowed when used memory > 'maxmemory'.");
export const busyKey = (): CacheError => reply('BUSYKEY', 'Target key name already exists.');
export const execAborted = (): CacheError =>
  reply('EXECABORT', 'Transaction discarded because of previous errors.');

/** For a command or option that exists in the field and not here. */
export const notSupported = (what: string): CacheError => failure(`${what} is not supported by this server`);
