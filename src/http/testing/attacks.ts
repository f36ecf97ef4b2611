/**
 * What must be refused, as bytes: requests for servers, responses for clients. Used against the session, the
 * server, the client and the balancer, each in its own way.
 */

export interface Attack {
  readonly name: string;
  /** The bytes, latin1. */
  readonly bytes: string;
  /** What a server answers before it closes. */
  readonly status: number;
}

const request = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const post = (...lines: string[]): string => request('POST / HTTP/1.1', 'Host: a', ...lines);

/** Requests whose framing, line endings or grammar have been used to smuggle, poison or exhaust. */
export const BAD_REQUESTS: readonly Attack[] = [
  // Two framings, or one that two parsers read differently.
  {
    name: 'CL and TE',
    bytes: `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'TE and CL',
    bytes: `${post('Transfer-Encoding: chunked', 'Content-Length: 4')}0\r\n\r\n`,
    status: 400,
  },
  { name: 'two lengths', bytes: `${post('Content-Length: 1', 'Content-Length: 2')}ab`, status: 400 },
  { name: 'two equal lengths', bytes: `${post('Content-Length: 1', 'Content-Length: 1')}a`, status: 400 },
  { name: 'a list of lengths', bytes: `${post('Content-Length: 1, 1')}a`, status: 400 },
  { name: 'a signed length', bytes: `${post('Content-Length: +1')}a`, status: 400 },
  { name: 'a negative length', bytes: post('Content-Length: -1'), status: 400 },
  { name: 'a hexadecimal length', bytes: `${post('Content-Length: 0x1')}a`, status: 400 },
  { name: 'an empty length', bytes: post('Content-Length:'), status: 400 },
  { name: 'a length with a space', bytes: post('Content-Length: 1 0'), status: 400 },
  { name: 'a length past 2^53', bytes: post('Content-Length: 9007199254740993'), status: 400 },
  { name: 'a length past 2^64', bytes: post('Content-Length: 18446744073709551617'), status: 400 },
  {
    name: 'two codings',
    bytes: post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    status: 400,
  },
  { name: 'a list of codings', bytes: post('Transfer-Encoding: gzip, chunked'), status: 400 },
  { name: 'chunked twice', bytes: post('Transfer-Encoding: chunked, chunked'), status: 400 },
  { name: 'chunked with a comma', bytes: post('Transfer-Encoding: chunked,'), status: 400 },
  { name: 'chunked with a parameter', bytes: post('Transfer-Encoding: chunked;q=1'), status: 400 },
  { name: 'quoted chunked', bytes: post('Transfer-Encoding: "chunked"'), status: 400 },
  { name: 'an empty coding', bytes: post('Transfer-Encoding:'), status: 400 },
  { name: 'vertical tab before chunked', bytes: post('Transfer-Encoding: \x0bchunked'), status: 400 },
  { name: 'an unknown coding', bytes: post('Transfer-Encoding: xchunked'), status: 501 },
  { name: 'identity', bytes: post('Transfer-Encoding: identity'), status: 501 },
  {
    name: 'chunked in HTTP/1.0',
    bytes: `${request('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    status: 400,
  },
  { name: 'space before the colon of TE', bytes: post('Transfer-Encoding : chunked'), status: 400 },
  { name: 'tab before the colon', bytes: post('Content-Length\t: 1'), status: 400 },
  { name: 'obsolete folding', bytes: post('X: a', ' b'), status: 400 },
  { name: 'folded coding', bytes: post('Transfer-Encoding:', ' chunked'), status: 400 },
  { name: 'white space before the first field', bytes: request('GET / HTTP/1.1', ' Host: a'), status: 400 },
  // Line endings.
  { name: 'bare LF after the request line', bytes: 'GET / HTTP/1.1\nHost: a\r\n\r\n', status: 400 },
  { name: 'bare LF after a field', bytes: 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n', status: 400 },
  { name: 'bare LF only', bytes: 'GET / HTTP/1.1\nHost: a\n\n', status: 400 },
  { name: 'bare LF as the empty line', bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\n', status: 400 },
  { name: 'bare CR in the request line', bytes: 'GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n', status: 400 },
  { name: 'bare CR in a value', bytes: 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', status: 400 },
  { name: 'bare CR before a field', bytes: 'GET / HTTP/1.1\r\n\rHost: a\r\n\r\n', status: 400 },
  { name: 'CR CR LF', bytes: 'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n', status: 400 },
  { name: 'two empty lines first', bytes: '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', status: 400 },
  { name: 'a bare LF first', bytes: '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', status: 400 },
  // Request line.
  { name: 'HTTP/0.9', bytes: 'GET /\r\n\r\n', status: 400 },
  { name: 'HTTP/0.9 by name', bytes: request('GET / HTTP/0.9', 'Host: a'), status: 505 },
  { name: 'HTTP/1.2', bytes: request('GET / HTTP/1.2', 'Host: a'), status: 505 },
  { name: 'HTTP/2.0', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 505 },
  { name: 'lower-case http', bytes: request('GET / http/1.1', 'Host: a'), status: 400 },
  { name: 'a long version', bytes: request('GET / HTTP/1.10', 'Host: a'), status: 400 },
  { name: 'two spaces', bytes: request('GET  / HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a tab for a space', bytes: request('GET\t/ HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a space at the end', bytes: request('GET / HTTP/1.1 ', 'Host: a'), status: 400 },
  { name: 'a space at the start', bytes: request(' GET / HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a space in the target', bytes: request('GET /a b HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a method that is no token', bytes: request('G@T / HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a fragment', bytes: request('GET /a#b HTTP/1.1', 'Host: a'), status: 400 },
  {
    name: 'a control character in the target',
    bytes: request('GET /a\x01b HTTP/1.1', 'Host: a'),
    status: 400,
  },
  { name: 'a target past ASCII', bytes: request('GET /a\xe9 HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'a relative target', bytes: request('GET a HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'GET *', bytes: request('GET * HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'another scheme', bytes: request('GET ftp://a/ HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'absolute form against Host', bytes: request('GET http://b/ HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'absolute form with user', bytes: request('GET http://u@a/ HTTP/1.1', 'Host: a'), status: 400 },
  { name: 'CONNECT with a path', bytes: request('CONNECT /a HTTP/1.1', 'Host: a'), status: 400 },
  // Fields.
  { name: 'no Host', bytes: request('GET / HTTP/1.1'), status: 400 },
  { name: 'two Hosts', bytes: request('GET / HTTP/1.1', 'Host: a', 'Host: a'), status: 400 },
  { name: 'an empty Host', bytes: request('GET / HTTP/1.1', 'Host:'), status: 400 },
  { name: 'Host with a user', bytes: request('GET / HTTP/1.1', 'Host: u@a'), status: 400 },
  { name: 'Host with a path', bytes: request('GET / HTTP/1.1', 'Host: a/b'), status: 400 },
  { name: 'Host with a comma', bytes: request('GET / HTTP/1.1', 'Host: a,b'), status: 400 },
  { name: 'Host with a space', bytes: request('GET / HTTP/1.1', 'Host: a b'), status: 400 },
  { name: 'Host with a bad port', bytes: request('GET / HTTP/1.1', 'Host: a:99999'), status: 400 },
  { name: 'a field without a colon', bytes: request('GET / HTTP/1.1', 'Host: a', 'Foo'), status: 400 },
  { name: 'a field without a name', bytes: request('GET / HTTP/1.1', 'Host: a', ': x'), status: 400 },
  { name: 'a name that is no token', bytes: request('GET / HTTP/1.1', 'Host: a', 'F(o: x'), status: 400 },
  { name: 'a name past ASCII', bytes: request('GET / HTTP/1.1', 'Host: a', 'F\xf6: x'), status: 400 },
  { name: 'NUL in a value', bytes: request('GET / HTTP/1.1', 'Host: a', 'X: a\0b'), status: 400 },
  { name: 'DEL in a value', bytes: request('GET / HTTP/1.1', 'Host: a', 'X: a\x7fb'), status: 400 },
  { name: 'a control in a value', bytes: request('GET / HTTP/1.1', 'Host: a', 'X: \x1b[2J'), status: 400 },
  {
    name: 'a Connection option that is no token',
    bytes: request('GET / HTTP/1.1', 'Host: a', 'Connection: a b'),
    status: 400,
  },
  { name: 'another expectation', bytes: post('Expect: 200-ok', 'Content-Length: 1'), status: 417 },
  // Chunks.
  {
    name: 'a signed chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}+1\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'a prefixed chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}0x1\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'an underscore in a chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}1_0\r\na\r\n`,
    status: 400,
  },
  {
    name: 'a space before a chunk size',
    bytes: `${post('Transfer-Encoding: chunked')} 1\r\na\r\n`,
    status: 400,
  },
  {
    name: 'a space behind a chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}1 \r\na\r\n`,
    status: 400,
  },
  { name: 'an empty chunk size', bytes: `${post('Transfer-Encoding: chunked')}\r\na\r\n`, status: 400 },
  {
    name: 'a chunk size without digits',
    bytes: `${post('Transfer-Encoding: chunked')};a\r\na\r\n`,
    status: 400,
  },
  {
    name: 'nine digits of chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}000000001\r\na\r\n`,
    status: 400,
  },
  {
    name: 'chunk size overflow',
    bytes: `${post('Transfer-Encoding: chunked')}FFFFFFFFFFFFFFFF1\r\na\r\n`,
    status: 400,
  },
  {
    name: 'a chunk longer than its size',
    bytes: `${post('Transfer-Encoding: chunked')}1\r\nab\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare LF behind a chunk size',
    bytes: `${post('Transfer-Encoding: chunked')}1\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare LF behind chunk data',
    bytes: `${post('Transfer-Encoding: chunked')}1\r\na\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare CR behind chunk data',
    bytes: `${post('Transfer-Encoding: chunked')}1\r\na\r0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare LF in an extension',
    bytes: `${post('Transfer-Encoding: chunked')}1;a\nb\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare CR in an extension',
    bytes: `${post('Transfer-Encoding: chunked')}1;a\rb\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'an extension without a name',
    bytes: `${post('Transfer-Encoding: chunked')}1;\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'an extension without a value',
    bytes: `${post('Transfer-Encoding: chunked')}1;a=\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'an open quote in an extension',
    bytes: `${post('Transfer-Encoding: chunked')}1;a="b\r\na\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    name: 'bare LF in the trailers',
    bytes: `${post('Transfer-Encoding: chunked')}0\r\nX: a\n\r\n`,
    status: 400,
  },
  {
    name: 'bare LF as the end of trailers',
    bytes: `${post('Transfer-Encoding: chunked')}0\r\n\n`,
    status: 400,
  },
  {
    name: 'folding in the trailers',
    bytes: `${post('Transfer-Encoding: chunked')}0\r\nX: a\r\n b\r\n\r\n`,
    status: 400,
  },
  {
    name: 'a trailer without a colon',
    bytes: `${post('Transfer-Encoding: chunked')}0\r\nX\r\n\r\n`,
    status: 400,
  },
  // Size.
  {
    name: 'a long request line',
    bytes: request(`GET /${'a'.repeat(8_200)} HTTP/1.1`, 'Host: a'),
    status: 414,
  },
  {
    name: 'a long field',
    bytes: request('GET / HTTP/1.1', 'Host: a', `X: ${'a'.repeat(8_200)}`),
    status: 431,
  },
  {
    name: 'many fields',
    bytes: request('GET / HTTP/1.1', 'Host: a', ...Array(100).fill('X: a')),
    status: 431,
  },
  {
    name: 'a large head',
    bytes: request('GET / HTTP/1.1', 'Host: a', ...Array(5).fill(`X: ${'a'.repeat(8_000)}`)),
    status: 431,
  },
  { name: 'a long method', bytes: request(`${'A'.repeat(33)} / HTTP/1.1`, 'Host: a'), status: 501 },
  {
    name: 'large chunk extensions',
    bytes: `${post('Transfer-Encoding: chunked')}${`1;${'a'.repeat(8_000)}\r\na\r\n`.repeat(3)}`,
    status: 413,
  },
  {
    name: 'large trailers',
    bytes: `${post('Transfer-Encoding: chunked')}0\r\n${`X: ${'a'.repeat(4_000)}\r\n`.repeat(3)}\r\n`,
    status: 431,
  },
  // Not HTTP at all.
  { name: 'a TLS greeting', bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', status: 400 },
  { name: 'an SMTP greeting', bytes: 'EHLO example.com\r\n\r\n', status: 400 },
  { name: 'RESP', bytes: '*1\r\n$4\r\nPING\r\n\r\n', status: 400 },
];

/** Responses that leave their end, or their meaning, in doubt; all answer a GET. */
export const BAD_RESPONSES: readonly { readonly name: string; readonly bytes: string }[] = [
  {
    name: 'CL and TE',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  },
  { name: 'two lengths', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' },
  { name: 'two equal lengths', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na' },
  { name: 'a list of lengths', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na' },
  { name: 'a signed length', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na' },
  { name: 'an unknown coding', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na' },
  { name: 'chunked in HTTP/1.0', bytes: 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' },
  { name: 'extra bytes', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc' },
  {
    name: 'a second response',
    bytes: 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  { name: '204 with content', bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\na' },
  { name: 'obsolete folding', bytes: 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n' },
  { name: 'bare LF', bytes: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n' },
  { name: 'bare LF behind a field', bytes: 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n' },
  { name: 'bare CR in a value', bytes: 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n' },
  { name: 'space before the colon', bytes: 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n' },
  { name: 'NUL in a value', bytes: 'HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n' },
  { name: 'a bad chunk size', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n' },
  { name: 'another version', bytes: 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n' },
  { name: 'no version', bytes: 'ICY 200 OK\r\n\r\n' },
  { name: 'a status of two digits', bytes: 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n' },
  { name: 'a status past 599', bytes: 'HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n' },
  {
    name: 'a switch not asked for',
    bytes: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  },
  { name: 'many informational responses', bytes: 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17) },
  { name: 'a large head', bytes: `HTTP/1.1 200 OK\r\n${`X: ${'a'.repeat(8_000)}\r\n`.repeat(5)}\r\n` },
  { name: 'garbage', bytes: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' },
  { name: 'an empty line first', bytes: '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' },
];
