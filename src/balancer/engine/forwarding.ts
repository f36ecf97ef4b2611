/**
 * Fields on their way through: rebuilt, never copied as bytes.
 *
 * Hop-by-hop fields end here (RFC 9110 section 7.6.1): Connection and what it names, Keep-Alive, Proxy-…, TE
 * but for `trailers`, Trailer, Transfer-Encoding, Upgrade. But Connection may not strip what servers decide
 * by: naming Host, Content-…, Authorization, Cookie or X-Forwarded-… has no effect.
 *
 * Who the client is goes into Forwarded (RFC 7239) and X-Forwarded-…; what the client itself sent there is
 * thrown away unless it is a trusted proxy.
 */

/** The fields of a message, as the HTTP library has them. */
export interface ReceivedFields extends Iterable<Field> {
  get(name: string): string | undefined;
}

type FieldList = readonly Field[];

type Field = readonly [name: string, value: string];

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const FORWARDING: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
]);

/** Names that must not come in another spelling: servers behind us may read `_` as `-`. */
const GUARDED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...FORWARDING,
  'host',
  'content-length',
  'content-type',
  'authorization',
  'cookie',
  'via',
  'x-request-id',
]);

/** The name of the first field whose underscores would make it another, or undefined. */
export function disguisedField(headers: ReceivedFields): string | undefined {
  for (const [name] of headers) {
    if (name.includes('_') && GUARDED.has(name.replaceAll('_', '-').toLowerCase())) return name;
  }
  return undefined;
}

/** What the request's way here says. */
export interface Passage {
  readonly clientAddress: string;
  readonly secure: boolean;
  readonly requestId: string;
  /** Our name in Via. */
  readonly via: string;
  readonly version: '1.0' | '1.1' | '2';
  /** The client is a proxy whose forwarding fields are believed. */
  readonly trusted: boolean;
}

/** The fields of the request sent on. Framing (Content-Length) is the caller's to add. */
export function requestFields(headers: ReceivedFields, passage: Passage): FieldList {
  const named = connectionOptions(headers);
  const fields: Field[] = [];
  for (const field of headers) {
    const name = field[0].toLowerCase();
    const ends = HOP_BY_HOP.has(name) || FORWARDING.has(name) || OURS.has(name);
    if (!ends && !(named.has(name) && mayBeStripped(name))) fields.push(field);
  }
  if (listHas(headers.get('te'), 'trailers')) fields.push(['TE', 'trailers']);
  fields.push(...forwardingFields(headers, passage));
  fields.push(['X-Request-Id', passage.requestId]);
  fields.push(['Via', appended(headers.get('via'), `${passage.version} ${passage.via}`)]);
  return fields;
}

/** Set anew by us, or by the HTTP client. */
const OURS: ReadonlySet<string> = new Set(['content-length', 'via', 'x-request-id', 'expect']);

function forwardingFields(headers: ReceivedFields, passage: Passage): Field[] {
  const believed = (name: string): string | undefined => (passage.trusted ? headers.get(name) : undefined);
  const address = plainAddress(passage.clientAddress);
  const proto = believed('x-forwarded-proto') ?? (passage.secure ? 'https' : 'http');
  const host = believed('x-forwarded-host') ?? headers.get('host');
  const fields: Field[] = [
    [
      'Forwarded',
      appended(believed('forwarded'), forwardedElement(address, passage.secure, headers.get('host'))),
    ],
    ['X-Forwarded-For', appended(believed('x-forwarded-for'), address)],
    ['X-Forwarded-Proto', proto],
  ];
  if (host !== undefined) fields.push(['X-Forwarded-Host', host]);
  return fields;
}

/** RFC 7239 section 4; an IPv6 address stands in brackets and quotes. */
function forwardedElement(address: string, secure: boolean, host: string | undefined): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  const named = host === undefined ? '' : `;host="${host}"`;
  return `for=${node}${named};proto=${secure ? 'https' : 'http'}`;
}

/** An IPv4 address that came through an IPv6 socket, as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function appended(before: string | undefined, value: string): string {
  return before === undefined || before === '' ? value : `${before}, ${value}`;
}

/** The fields of the response sent back. */
export function responseFields(headers: ReceivedFields, requestId: string): FieldList {
  const named = connectionOptions(headers);
  const fields: Field[] = [];
  let hasId = false;
  for (const field of headers) {
    const name = field[0].toLowerCase();
    if (HOP_BY_HOP.has(name) || name === 'content-length') continue;
    if (named.has(name) && mayBeStripped(name)) continue;
    hasId ||= name === 'x-request-id';
    // The server's Date is the one that counts; ours would be a second.
    fields.push(field);
  }
  if (!hasId) fields.push(['X-Request-Id', requestId]);
  return fields;
}

/** True when the request has passed us before. RFC 9110 section 7.6.3. */
export function isLoop(headers: ReceivedFields, via: string): boolean {
  const value = headers.get('via');
  if (value === undefined) return false;
  return value.split(',').some((hop) => {
    const [, receivedBy] = hop.trim().split(' ');
    return receivedBy === via;
  });
}

function connectionOptions(headers: ReceivedFields): ReadonlySet<string> {
  const value = headers.get('connection');
  if (value === undefined) return NO_OPTIONS;
  return new Set(value.split(',').map((option) => option.trim().toLowerCase()));
}

const NO_OPTIONS: ReadonlySet<string> = new Set();

function mayBeStripped(name: string): boolean {
  if (name === 'host' || name === 'authorization' || name === 'cookie' || name === 'set-cookie') return false;
  return !name.startsWith('content-') && !name.startsWith('x-forwarded-');
}

function listHas(value: string | undefined, wanted: string): boolean {
  return (value ?? '').split(',').some((element) => element.trim().toLowerCase() === wanted);
}
