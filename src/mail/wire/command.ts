/**
 * One SMTP command line (RFC 5321 section 4.1.1), without its CRLF, into what it asks for.
 */
import { type Reply, refusal } from '../errors.ts';
import { isAscii, isDomain, type Mailbox, parsePath } from './address.ts';
import {
  type MailParameters,
  parseMailParameters,
  parseRcptParameters,
  type RcptParameters,
} from './parameters.ts';

export type Command =
  | { readonly verb: 'EHLO' | 'HELO'; readonly name: string }
  | {
      readonly verb: 'MAIL';
      readonly from: Mailbox | undefined;
      readonly parameters: MailParameters;
      readonly ascii: boolean;
    }
  | {
      readonly verb: 'RCPT';
      readonly to: Mailbox;
      readonly parameters: RcptParameters;
      readonly ascii: boolean;
    }
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial: string | undefined }
  | { readonly verb: 'VRFY' | 'HELP' | 'NOOP'; readonly argument: string }
  | { readonly verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS' };

export type CommandParse =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly reply: Reply; readonly close?: boolean };

/** Methods that a browser or a proxy would open a connection with: a cross-protocol request. */
const HTTP_METHODS = new Set(['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'DELETE', 'PATCH']);
/** Known, and not done here. RFC 5321 section 4.2.4 wants 502 for these and 500 for unknown ones. */
const NOT_IMPLEMENTED = new Set([
  'EXPN',
  'ETRN',
  'TURN',
  'ATRN',
  'BDAT',
  'SEND',
  'SOML',
  'SAML',
  'BURL',
  'XCLIENT',
  'XFORWARD',
]);

export function parseCommand(line: Buffer): CommandParse {
  const text = line.toString('utf8');
  if (hasControls(text)) return refuse('syntax', 'control characters');
  const space = text.indexOf(' ');
  const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
  const rest = space < 0 ? '' : text.slice(space + 1).trim();
  switch (verb) {
    case 'EHLO':
    case 'HELO':
      return parseHello(verb, rest);
    case 'MAIL':
      return parseMail(rest);
    case 'RCPT':
      return parseRcpt(rest);
    case 'AUTH':
      return parseAuth(rest);
    case 'VRFY':
      return rest === '' ? refuse('argument') : { ok: true, command: { verb, argument: rest } };
    case 'HELP':
    case 'NOOP':
      return { ok: true, command: { verb, argument: rest } };
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      return rest === '' ? { ok: true, command: { verb } } : refuse('argument', `${verb} takes no argument`);
    default:
      if (HTTP_METHODS.has(verb)) return { ok: false, reply: refusal('crossProtocol'), close: true };
      return NOT_IMPLEMENTED.has(verb) ? refuse('notImplemented', verb) : refuse('syntax');
  }
}

function refuse(name: Parameters<typeof refusal>[0], detail?: string): CommandParse {
  return { ok: false, reply: refusal(name, detail) };
}

/** Invalid UTF-8 has become U+FFFD, which no address may hold. */
function hasControls(text: string): boolean {
  for (const char of text) if (char < ' ' || char === '\x7f' || char === '\ufffd') return true;
  return false;
}

/** A domain or an address literal; much real software sends odder names, which only go into a trace field. */
function parseHello(verb: 'EHLO' | 'HELO', name: string): CommandParse {
  if (name === '' || name.includes(' ') || name.length > 255)
    return refuse('argument', `${verb} takes one name`);
  const isPlain = isDomain(name.toLowerCase()) || (name.startsWith('[') && name.endsWith(']'));
  return isPlain ? { ok: true, command: { verb, name } } : refuse('argument', 'not a host name');
}

function parseMail(rest: string): CommandParse {
  const path = pathAfter('FROM:', rest);
  if (!path.ok) return refuse(path.keyword ? 'badSender' : 'argument', path.reason);
  if (path.mailbox?.domain === '') return refuse('badSender', 'address without domain');
  const parameters = parseMailParameters(path.rest);
  if (!parameters.ok) return { ok: false, reply: parameters.reply };
  const { mailbox: from, ascii } = path;
  return { ok: true, command: { verb: 'MAIL', from, parameters: parameters.value, ascii } };
}

function parseRcpt(rest: string): CommandParse {
  const path = pathAfter('TO:', rest);
  if (!path.ok) return refuse(path.keyword ? 'badRecipient' : 'argument', path.reason);
  if (path.mailbox === undefined) return refuse('badRecipient', 'the null path is no recipient');
  const parameters = parseRcptParameters(path.rest);
  if (!parameters.ok) return { ok: false, reply: parameters.reply };
  return {
    ok: true,
    command: { verb: 'RCPT', to: path.mailbox, parameters: parameters.value, ascii: path.ascii },
  };
}

type PathAfter =
  | { ok: true; mailbox: Mailbox | undefined; rest: string; ascii: boolean }
  | { ok: false; keyword: boolean; reason: string };

/** Space after the colon is not in the grammar but so common that every server takes it. */
function pathAfter(keyword: 'FROM:' | 'TO:', rest: string): PathAfter {
  if (rest.slice(0, keyword.length).toUpperCase() !== keyword) {
    return { ok: false, keyword: false, reason: `expected ${keyword}<address>` };
  }
  const path = parsePath(rest.slice(keyword.length).trimStart());
  return path.ok ? path : { ok: false, keyword: true, reason: path.reason };
}

function parseAuth(rest: string): CommandParse {
  const [mechanism = '', initial, ...more] = rest.split(' ');
  if (mechanism === '' || more.length > 0 || !isAscii(rest))
    return refuse('argument', 'AUTH mechanism [initial-response]');
  return { ok: true, command: { verb: 'AUTH', mechanism: mechanism.toUpperCase(), initial } };
}
