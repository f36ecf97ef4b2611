/**
 * What must be refused, as bytes: requests for servers, responses for clients. Used against the session, the
 * server, the client and the balancer, each in its own way.
 *
 * What the two kinds of message share, fields, framing and chunks, is written once and made into both: a hole
 * closed at one end only is a hole.
 */

export interface Attack {
  readonly name: string;
  /** The bytes, latin1. */
  readonly bytes: string;
  /** What a server answers before it closes. */
  readonly status: number;
}

export interface BadResponse {
  readonly name: string;
  readonly bytes: string;
}

/** Name, bytes, and the status where it is not 400. */
type Case = readonly [name: string, bytes: string, status?: number | undefined];

/** Field lines as they stand behind the start line, with what ends the head. */
const FIELDS: readonly Case[] = [
  // Line endings.
  ['bare LF after a field', 'X: a\nY: b\r\n\r\n'],
  ['bare LF as the empty line', 'X: a\r\n\n'],
  ['bare LF twice as the end', 'X: a\n\n'],
  ['LF CR', 'X: a\n\r\r\n\r\n'],
  ['bare CR in a value', 'X: a\rb\r\n\r\n'],
  ['bare CR at the end of a value', 'X: a\r\r\n\r\n'],
  ['bare CR before a field', '\rX: a\r\n\r\n'],
  ['bare CR in a name', 'X\rY: a\r\n\r\n'],
  ['bare CR as the end of a field', 'X: a\rY: b\r\n\r\n'],
  // Names.
  ['space before the colon', 'X : a\r\n\r\n'],
  ['tab before the colon', 'X\t: a\r\n\r\n'],
  ['a field without a colon', 'Foo\r\n\r\n'],
  ['a field without a name', ': x\r\n\r\n'],
  ['only a colon', ':\r\n\r\n'],
  ['a name that is no token', 'F(o: x\r\n\r\n'],
  ['a quoted name', '"Foo": x\r\n\r\n'],
  ['a name with a slash', 'F/o: x\r\n\r\n'],
  ['a name past ASCII', 'F\xf6: x\r\n\r\n'],
  ['NUL in a name', 'F\0: x\r\n\r\n'],
  // Folding.
  ['obsolete folding', 'X: a\r\n b\r\n\r\n'],
  ['obsolete folding by a tab', 'X: a\r\n\tb\r\n\r\n'],
  ['a folded empty line', 'X: a\r\n \r\n\r\n'],
  ['white space before the first field', ' X: a\r\n\r\n'],
  ['a tab before the first field', '\tX: a\r\n\r\n'],
  ['folded coding', 'Transfer-Encoding:\r\n chunked\r\n\r\n'],
  // Values.
  ['NUL in a value', 'X: a\0b\r\n\r\n'],
  ['NUL at the end of a value', 'X: a\0\r\n\r\n'],
  ['DEL in a value', 'X: a\x7fb\r\n\r\n'],
  ['a control in a value', 'X: \x1b[2J\r\n\r\n'],
  ['a vertical tab in a value', 'X: a\x0bb\r\n\r\n'],
  ['a form feed in a value', 'X: a\x0cb\r\n\r\n'],
  ['a Connection option that is no token', 'Connection: a b\r\n\r\n'],
  // Framing.
  ['CL and TE', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['TE and CL', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
  ['TE and CL of nothing', 'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n'],
  ['CL and TE in other case', 'content-length: 4\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n'],
  ['CL and an unknown coding', 'Content-Length: 4\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['two equal lengths', 'Content-Length: 1\r\nContent-Length: 1\r\n\r\na'],
  ['a list of lengths', 'Content-Length: 1, 1\r\n\r\na'],
  ['a list of one length', 'Content-Length: 1,\r\n\r\na'],
  ['a signed length', 'Content-Length: +1\r\n\r\na'],
  ['a negative length', 'Content-Length: -1\r\n\r\n'],
  ['a hexadecimal length', 'Content-Length: 0x1\r\n\r\na'],
  ['a fractional length', 'Content-Length: 1.0\r\n\r\na'],
  ['an exponential length', 'Content-Length: 1e1\r\n\r\na'],
  ['a grouped length', 'Content-Length: 1_0\r\n\r\na'],
  ['a quoted length', 'Content-Length: "1"\r\n\r\na'],
  ['a length in other digits', 'Content-Length: \xb2\r\n\r\na'],
  ['an empty length', 'Content-Length:\r\n\r\n'],
  ['a blank length', 'Content-Length: \t \r\n\r\n'],
  ['a length with a space', 'Content-Length: 1 0\r\n\r\n'],
  ['a length past 2^53', 'Content-Length: 9007199254740992\r\n\r\n'],
  ['a length past 2^64', 'Content-Length: 18446744073709551617\r\n\r\n'],
  ['two codings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a coding in two fields', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a list of codings', 'Transfer-Encoding: gzip, chunked\r\n\r\n'],
  ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n\r\n'],
  ['chunked not last', 'Transfer-Encoding: chunked, gzip\r\n\r\n'],
  ['chunked with a comma', 'Transfer-Encoding: chunked,\r\n\r\n'],
  ['a comma before chunked', 'Transfer-Encoding: ,chunked\r\n\r\n'],
  ['chunked with a parameter', 'Transfer-Encoding: chunked;q=1\r\n\r\n'],
  ['quoted chunked', 'Transfer-Encoding: "chunked"\r\n\r\n'],
  ['an empty coding', 'Transfer-Encoding:\r\n\r\n'],
  ['vertical tab before chunked', 'Transfer-Encoding: \x0bchunked\r\n\r\n'],
  ['no-break space before chunked', 'Transfer-Encoding: \xa0chunked\r\n\r\n'],
  ['chunked cut in two', 'Transfer-Encoding: chun ked\r\n\r\n'],
  ['space before the colon of TE', 'Transfer-Encoding : chunked\r\n\r\n'],
  ['an unknown coding', 'Transfer-Encoding: xchunked\r\n\r\n', 501],
  ['identity', 'Transfer-Encoding: identity\r\n\r\n', 501],
  ['gzip alone', 'Transfer-Encoding: gzip\r\n\r\n', 501],
  // Size.
  ['a long field', `X: ${'a'.repeat(8_200)}\r\n\r\n`, 431],
  ['a long name', `${'X'.repeat(8_200)}: a\r\n\r\n`, 431],
  ['many fields', `${'X: a\r\n'.repeat(101)}\r\n`, 431],
  ['a large head', `${`X: ${'a'.repeat(8_000)}\r\n`.repeat(5)}\r\n`, 431],
];

/** Those about the lines themselves, without what ends the head: one or two lines for a generator to put anywhere. */
export const MALFORMED_FIELDS: readonly string[] = FIELDS.map(([, bytes]) => bytes)
  .filter((bytes) => bytes.endsWith('\r\n\r\n') && bytes.length < 100)
  .map((bytes) => bytes.slice(0, -'\r\n\r\n'.length))
  .filter((lines) => !framesContent(lines));

/** A generator has framing of its own, which fits what it frames. */
function framesContent(lines: string): boolean {
  return ['content-length', 'transfer-encoding'].some((name) => lines.toLowerCase().includes(name));
}

/** Content behind `Transfer-Encoding: chunked`. */
const CHUNKS: readonly Case[] = [
  // Sizes.
  ['a signed chunk size', '+1\r\na\r\n0\r\n\r\n'],
  ['a negative chunk size', '-1\r\na\r\n0\r\n\r\n'],
  ['a prefixed chunk size', '0x1\r\na\r\n0\r\n\r\n'],
  ['an underscore in a chunk size', '1_0\r\na\r\n'],
  ['a letter past f in a chunk size', '1g\r\na\r\n'],
  ['a quoted chunk size', '"1"\r\na\r\n'],
  ['a space before a chunk size', ' 1\r\na\r\n'],
  ['a tab before a chunk size', '\t1\r\na\r\n'],
  ['a space behind a chunk size', '1 \r\na\r\n'],
  ['a space in a chunk size', '1 0\r\na\r\n'],
  ['a tab behind a chunk size', '1\t\r\na\r\n'],
  ['a point in a chunk size', '1.0\r\na\r\n'],
  ['an empty chunk size', '\r\na\r\n'],
  ['a chunk size without digits', ';a\r\na\r\n'],
  ['NUL in a chunk size', '1\0\r\na\r\n'],
  ['a digit past ASCII', '\xb2\r\na\r\n'],
  ['nine digits of chunk size', '000000001\r\na\r\n'],
  ['chunk size overflow of 32 bits', '100000001\r\na\r\n'],
  ['chunk size overflow of 64 bits', 'FFFFFFFFFFFFFFFF1\r\na\r\n'],
  // Data.
  ['a chunk longer than its size', '1\r\nab\r\n0\r\n\r\n'],
  ['a chunk shorter than its size', '3\r\na\r\n0\r\n\r\n'],
  ['chunk data without an end', '1\r\na0\r\n\r\n'],
  // Line endings.
  ['bare LF behind a chunk size', '1\na\r\n0\r\n\r\n'],
  ['bare CR behind a chunk size', '1\ra\r\n0\r\n\r\n'],
  ['CR CR LF behind a chunk size', '1\r\r\na\r\n0\r\n\r\n'],
  ['bare LF behind chunk data', '1\r\na\n0\r\n\r\n'],
  ['bare CR behind chunk data', '1\r\na\r0\r\n\r\n'],
  ['LF CR behind chunk data', '1\r\na\n\r0\r\n\r\n'],
  ['bare LF behind the last chunk', '0\n\r\n'],
  // Extensions. The second is CVE-2025-55315: a line that ends for one parser and not for the other.
  ['bare LF in an extension', '1;a\nb\r\na\r\n0\r\n\r\n'],
  ['bare LF in place of an extension', '1;\na\r\n0\r\n\r\n'],
  ['bare LF in the value of an extension', '1;a=b\nc\r\na\r\n0\r\n\r\n'],
  ['bare LF in a quoted extension', '1;a="b\nc"\r\na\r\n0\r\n\r\n'],
  ['an escaped LF in a quoted extension', '1;a="b\\\nc"\r\na\r\n0\r\n\r\n'],
  ['bare CR in an extension', '1;a\rb\r\na\r\n0\r\n\r\n'],
  ['bare CR in a quoted extension', '1;a="b\rc"\r\na\r\n0\r\n\r\n'],
  ['a line end in a quoted extension', '1;a="b\r\nc"\r\na\r\n0\r\n\r\n'],
  ['an escaped CR in a quoted extension', '1;a="b\\\rc"\r\na\r\n0\r\n\r\n'],
  ['NUL in an extension', '1;a\0\r\na\r\n0\r\n\r\n'],
  ['NUL in a quoted extension', '1;a="\0"\r\na\r\n0\r\n\r\n'],
  ['an extension without a name', '1;\r\na\r\n0\r\n\r\n'],
  ['an extension that is only a value', '1;=a\r\na\r\n0\r\n\r\n'],
  ['an extension without a value', '1;a=\r\na\r\n0\r\n\r\n'],
  ['two semicolons', '1;;a\r\na\r\n0\r\n\r\n'],
  ['an open quote in an extension', '1;a="b\r\na\r\n0\r\n\r\n'],
  ['text behind a quoted extension', '1;a="b"c\r\na\r\n0\r\n\r\n'],
  ['white space in an extension', '1; a\r\na\r\n0\r\n\r\n'],
  ['white space before an extension', '1 ;a\r\na\r\n0\r\n\r\n'],
  ['white space around the equals sign', '1;a = b\r\na\r\n0\r\n\r\n'],
  ['an extension past ASCII', '1;\xe9\r\na\r\n0\r\n\r\n'],
  ['an extension of the last chunk with bare LF', '0;a\n\r\n\r\n'],
  ['large chunk extensions', `1;${'a'.repeat(8_000)}\r\na\r\n`.repeat(3), 413],
  ['many chunk extensions', '1;aa\r\na\r\n'.repeat(6_000), 413],
  // Trailers.
  ['bare LF in the trailers', '0\r\nX: a\n\r\n'],
  ['bare LF as the end of trailers', '0\r\n\n'],
  ['bare CR in a trailer', '0\r\nX: a\rb\r\n\r\n'],
  ['folding in the trailers', '0\r\nX: a\r\n b\r\n\r\n'],
  ['a trailer without a colon', '0\r\nX\r\n\r\n'],
  ['a trailer without a name', '0\r\n: x\r\n\r\n'],
  ['a space before the colon of a trailer', '0\r\nX : a\r\n\r\n'],
  ['NUL in a trailer', '0\r\nX: \0\r\n\r\n'],
  ['a next request in place of trailers', '0\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
  ['large trailers', `0\r\n${`X: ${'a'.repeat(4_000)}\r\n`.repeat(3)}\r\n`, 431],
  ['many trailers', `0\r\n${'X: a\r\n'.repeat(101)}\r\n`, 431],
];

const request = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

/** Requests as a whole. */
const REQUESTS: readonly Case[] = [
  ['chunked in HTTP/1.0', `${request('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
  // Line endings.
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
  ['bare LF only', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['HTTP/0.9 ended by a bare LF', 'GET /\n'],
  ['bare CR in the request line', 'GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bare CR as the end of the request line', 'GET / HTTP/1.1\rHost: a\r\n\r\n'],
  ['CR CR LF', 'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n'],
  ['two empty lines first', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a bare LF first', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a bare CR first', '\rGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  // Request line.
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['HTTP/0.9 with fields', request('GET /', 'Host: a')],
  ['HTTP/0.9 by name', request('GET / HTTP/0.9', 'Host: a'), 505],
  ['HTTP/1.2', request('GET / HTTP/1.2', 'Host: a'), 505],
  ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['HTTP/3.0', request('GET / HTTP/3.0', 'Host: a'), 505],
  ['lower-case http', request('GET / http/1.1', 'Host: a')],
  ['a long version', request('GET / HTTP/1.10', 'Host: a')],
  ['a version of two digits', request('GET / HTTP/11.1', 'Host: a')],
  ['a version without a point', request('GET / HTTP/11', 'Host: a')],
  ['a version with another letter', request('GET / HTTP/1.l', 'Host: a')],
  ['another protocol', request('GET / ICE/1.1', 'Host: a')],
  ['two spaces', request('GET  / HTTP/1.1', 'Host: a')],
  ['two spaces before the version', request('GET /  HTTP/1.1', 'Host: a')],
  ['a tab for a space', request('GET\t/ HTTP/1.1', 'Host: a')],
  ['a vertical tab for a space', request('GET /\x0bHTTP/1.1', 'Host: a')],
  ['a space at the end', request('GET / HTTP/1.1 ', 'Host: a')],
  ['a space at the start', request(' GET / HTTP/1.1', 'Host: a')],
  ['a space in the target', request('GET /a b HTTP/1.1', 'Host: a')],
  ['no target', request('GET HTTP/1.1', 'Host: a')],
  ['no method', request('/ HTTP/1.1', 'Host: a')],
  ['a method that is no token', request('G@T / HTTP/1.1', 'Host: a')],
  ['a method past ASCII', request('G\xcbT / HTTP/1.1', 'Host: a')],
  // Targets.
  ['a fragment', request('GET /a#b HTTP/1.1', 'Host: a')],
  ['a control character in the target', request('GET /a\x01b HTTP/1.1', 'Host: a')],
  ['NUL in the target', request('GET /a\0b HTTP/1.1', 'Host: a')],
  ['DEL in the target', request('GET /a\x7f HTTP/1.1', 'Host: a')],
  ['a target past ASCII', request('GET /a\xe9 HTTP/1.1', 'Host: a')],
  ['a relative target', request('GET a HTTP/1.1', 'Host: a')],
  ['only a query', request('GET ?a HTTP/1.1', 'Host: a')],
  ['GET *', request('GET * HTTP/1.1', 'Host: a')],
  ['OPTIONS of more than *', request('OPTIONS *a HTTP/1.1', 'Host: a')],
  ['another scheme', request('GET ftp://a/ HTTP/1.1', 'Host: a')],
  ['a scheme without an authority', request('GET http:/a HTTP/1.1', 'Host: a')],
  ['an empty authority', request('GET http:///a HTTP/1.1', 'Host: a')],
  ['absolute form against Host', request('GET http://b/ HTTP/1.1', 'Host: a')],
  ['absolute form against the port of Host', request('GET http://a:81/ HTTP/1.1', 'Host: a:80')],
  ['absolute form with user', request('GET http://u@a/ HTTP/1.1', 'Host: a')],
  ['authority form without CONNECT', request('GET a:80 HTTP/1.1', 'Host: a:80')],
  ['CONNECT with a path', request('CONNECT /a HTTP/1.1', 'Host: a')],
  ['CONNECT without a port', request('CONNECT a HTTP/1.1', 'Host: a')],
  ['CONNECT to an address without a port', request('CONNECT [::1] HTTP/1.1', 'Host: a')],
  ['CONNECT to a URI', request('CONNECT http://a:80/ HTTP/1.1', 'Host: a:80')],
  ['CONNECT with a length', request('CONNECT a:80 HTTP/1.1', 'Host: a:80', 'Content-Length: 5')],
  ['CONNECT with chunks', request('CONNECT a:80 HTTP/1.1', 'Host: a:80', 'Transfer-Encoding: chunked')],
  // Host.
  ['no Host', request('GET / HTTP/1.1')],
  ['two Hosts', request('GET / HTTP/1.1', 'Host: a', 'Host: a')],
  ['two Hosts in HTTP/1.0', request('GET / HTTP/1.0', 'Host: a', 'host: b')],
  ['an empty Host', request('GET / HTTP/1.1', 'Host:')],
  ['Host with a user', request('GET / HTTP/1.1', 'Host: u@a')],
  ['Host with a path', request('GET / HTTP/1.1', 'Host: a/b')],
  ['Host with a query', request('GET / HTTP/1.1', 'Host: a?b')],
  ['Host with a comma', request('GET / HTTP/1.1', 'Host: a,b')],
  ['Host with a space', request('GET / HTTP/1.1', 'Host: a b')],
  ['Host with a backslash', request('GET / HTTP/1.1', 'Host: a\\b')],
  ['Host past ASCII', request('GET / HTTP/1.1', 'Host: \xe9')],
  ['Host with a broken escape', request('GET / HTTP/1.1', 'Host: a%4')],
  ['Host with a bad port', request('GET / HTTP/1.1', 'Host: a:99999')],
  ['Host with a signed port', request('GET / HTTP/1.1', 'Host: a:+80')],
  ['Host with two ports', request('GET / HTTP/1.1', 'Host: a:80:80')],
  ['Host of only a port', request('GET / HTTP/1.1', 'Host: :80')],
  ['Host with an open bracket', request('GET / HTTP/1.1', 'Host: [::1')],
  ['Host with no address in brackets', request('GET / HTTP/1.1', 'Host: [a]')],
  ['Host with too many groups', request('GET / HTTP/1.1', 'Host: [1:2:3:4:5:6:7:8:9]')],
  ['Host with two gaps', request('GET / HTTP/1.1', 'Host: [1::2::3]')],
  ['Host with a signed octet', request('GET / HTTP/1.1', 'Host: [::-1.0.0.1]')],
  ['Host with a zone', request('GET / HTTP/1.1', 'Host: [fe80::1%25eth0]')],
  ['Host with text behind an address', request('GET / HTTP/1.1', 'Host: [::1]a')],
  // Expectations.
  ['another expectation', request('POST / HTTP/1.1', 'Host: a', 'Expect: 200-ok', 'Content-Length: 1'), 417],
  ['an empty expectation', request('POST / HTTP/1.1', 'Host: a', 'Expect:', 'Content-Length: 1'), 417],
  [
    'two expectations',
    request('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue, x=y', 'Content-Length: 1'),
    417,
  ],
  // Size.
  ['a long request line', request(`GET /${'a'.repeat(8_200)} HTTP/1.1`, 'Host: a'), 414],
  ['a request line without an end', 'A'.repeat(8_300), 414],
  ['a long method', request(`${'A'.repeat(33)} / HTTP/1.1`, 'Host: a'), 501],
  // Not HTTP at all.
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['an SMTP greeting', 'EHLO example.com\r\n\r\n'],
  ['RESP', '*1\r\n$4\r\nPING\r\n\r\n'],
];

/** Responses as a whole. */
const RESPONSES: readonly Case[] = [
  ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['extra bytes', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc'],
  ['a second response', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['204 with content', 'HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\na'],
  ['204 with chunks', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['103 with content', 'HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\na'],
  ['103 with chunks', 'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['bare LF only', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['bare LF after the status line', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
  ['bare CR after the status line', 'HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n'],
  ['bare CR in the reason', 'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n'],
  ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['lower-case http', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['HTTP/0.9', 'hello\r\n\r\n'],
  ['no version', 'ICY 200 OK\r\n\r\n'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a tab before the status', 'HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a tab before the reason', 'HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a signed status', 'HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status past 599', 'HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a switch not asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ['many informational responses', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)],
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['an empty line first', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
];

const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const OK = 'HTTP/1.1 200 OK\r\n';
const IN_CHUNKS = 'Transfer-Encoding: chunked\r\n\r\n';

/** Requests whose framing, line endings or grammar have been used to smuggle, poison or exhaust. */
export const BAD_REQUESTS: readonly Attack[] = [
  ...REQUESTS,
  ...behind(POST, FIELDS),
  ...behind(POST + IN_CHUNKS, CHUNKS),
].map(([name, bytes, status = 400]) => ({ name, bytes, status }));

/** Responses that leave their end, or their meaning, in doubt; all answer a GET. */
export const BAD_RESPONSES: readonly BadResponse[] = [
  ...RESPONSES,
  ...behind(OK, FIELDS),
  ...behind(OK + IN_CHUNKS, CHUNKS),
].map(([name, bytes]) => ({ name, bytes }));

function behind(start: string, cases: readonly Case[]): Case[] {
  return cases.map(([name, bytes, status]) => [name, start + bytes, status]);
}
