/**
 * Requests at random, by the grammar: most parts are good, some are the ways in which parsers have differed. Fields come
 * from the catalogue of attacks; what frames content is here, as it has to fit the content. Half of the inputs are
 * then spoilt byte by byte as well.
 */
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { MALFORMED_FIELDS } from '../../src/http/testing/attacks.ts';
import { mutated } from '../../src/http/testing/mutate.ts';

/** Good choices, and those about which parsers have disagreed. */
interface Choices {
  readonly good: readonly string[];
  readonly odd: readonly string[];
}

const ODD = 0.04;

const METHODS: Choices = {
  good: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'],
  odd: [
    'get',
    'CONNECT',
    'TRACE',
    'PRI',
    'SOURCE',
    'FOO',
    'M-SEARCH',
    "A!#$%&'*+-.^_`|~",
    'G T',
    '',
    'GET\t',
    'G\xe9T',
    'G(T',
  ],
};
const TARGETS: Choices = {
  good: ['/', '/a/b?c=d&e=%20', '/%41/../b', '/a?b?c', '/!$&\'()*+,;=:@[]{}|\\^`<>"'],
  odd: [
    '*',
    'http://a/',
    'http://b/x',
    'HTTP://A?q',
    'https://a',
    'http://u@a/',
    'ftp://a/',
    'a',
    'a:80',
    '?',
    '/a#b',
    '/\x01',
    '/\x7f',
    '/\xe9',
    '/a b',
    '//',
    '',
  ],
};
const VERSIONS: Choices = {
  good: ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'],
  odd: [
    'HTTP/1.2',
    'HTTP/2.0',
    'HTTP/0.9',
    'http/1.1',
    'HTTP/1.10',
    'HTTP/11',
    'HTTP/1,1',
    ' HTTP/1.1',
    'HTTP/1.1 ',
    'RTSP/1.0',
    '',
  ],
};
const HOSTS: Choices = {
  good: ['Host: a', 'host: a', 'HOST:a', 'Host: \t a\t '],
  odd: [
    'Host:',
    'Host: b',
    'Host: a:80',
    'Host: u@a',
    'Host: a/b',
    'Host: a,b',
    'Host: a b',
    'Host : a',
    'Host: [::1]',
    'Host: [',
    'Host: \xe9',
    'Host: a\r\nHost: a',
    '',
  ],
};
const FIELDS: Choices = {
  good: [
    'X: y',
    'X:',
    'Accept: */*',
    'X-Long: a b\tc  d',
    'X: \xe9\xff',
    'Cookie: a=b; c="d"',
    'X: "quoted, list", b',
    'Connection: keep-alive',
    'Content-Type: text/plain;charset=utf-8',
    "!#$%&'*+-.^_`|~09Az: x",
  ],
  odd: [
    ...MALFORMED_FIELDS,
    'X: a\x01b',
    'X: a\x0c',
    'Connection: close',
    'Connection: Close, x',
    'Connection: upgrade\r\nUpgrade: x',
    'Upgrade: x',
    'Expect: 100-continue',
    'Expect: x',
    'Transfer-Encoding: identity',
    'Proxy-Connection: close',
    'Content-Length: 0',
  ],
};
const LENGTHS: Choices = {
  good: ['Content-Length: N', 'content-length:N', 'Content-Length:  N \t'],
  odd: [
    'Content-Length: +N',
    'Content-Length: -N',
    'Content-Length: 0N',
    'Content-Length: 0xN',
    'Content-Length: N,N',
    'Content-Length: N\r\nContent-Length: N',
    'Content-Length: N\r\nTransfer-Encoding: chunked',
    'Content-Length: N N',
    'Content-Length: N;',
    'Content-Length: "N"',
    'Content-Length: 1N',
    'Content-Length:',
    'Content-Length: N.0',
    'Content-Length: \x0bN',
    'Content-Length : N',
    'Content-Length: 18446744073709551616',
    'Content-Length: 9007199254740993',
  ],
};
const CODINGS: Choices = {
  good: ['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED', 'Transfer-Encoding: \tchunked '],
  odd: [
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, gzip',
    'Transfer-Encoding: chunked,',
    'Transfer-Encoding: chunked;a=b',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding: \x0bchunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 3',
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding:',
    'Transfer_Encoding: chunked',
  ],
};
const CHUNK_SIZES: Choices = {
  good: ['N', 'N', '0N', 'N;a', 'N;a=b', 'N;a="b;\\"c"', 'N;a;b=c'],
  odd: [
    ' N',
    'N ',
    'N\t',
    '+N',
    '-N',
    '0xN',
    'N_',
    'N;',
    'N;a=',
    'N ;a',
    'N; a',
    'N;a="b',
    'N;a\nb',
    'N;a="b\nc"',
    'N;a="b\rc"',
    'N;a="\\\nc"',
    'N;a="b\0"',
    'N;a\rb',
    'N;\n',
    'N,a',
    '00000000N',
    '10000000000000000N',
    'Ng',
    '',
  ],
};
const TRAILERS: Choices = {
  good: ['', '', 'X-Sum: 1\r\n', 'X-Sum: 1\r\nY: z\r\n'],
  odd: [
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: b\r\n',
    'X\r\n',
    ' X: y\r\n',
    'X: a\n',
    'X: a\r\n b\r\n',
    'X : a\r\n',
  ],
};
const LINE_ENDS: Choices = { good: ['\r\n'], odd: ['\n', '\r', '\r\r\n', ' \r\n', '\n\r'] };
const SPACES: Choices = { good: [' '], odd: ['  ', '\t', '', '\x0b', '\xa0'] };
const LEADING: Choices = { good: [''], odd: ['\r\n', '\n', '\r\n\r\n', ' ', '\r', '\0'] };
const CONTENTS = [
  '',
  'a',
  'abc',
  'a\r\nb',
  '0\r\n\r\n',
  'GET /in HTTP/1.1\r\nHost: a\r\n\r\n',
  '\0\xff',
] as const;
const MAX_REQUESTS = 3;
const MAX_FIELDS = 4;

/** One to three requests behind each other, latin1. */
export function randomRequests(random: SeededRandom): string {
  let text = '';
  for (let count = 1 + random.below(MAX_REQUESTS); count > 0; count--) text += randomRequest(random);
  return random.chance(0.5) ? text : mutated(random, [text]);
}

function randomRequest(random: SeededRandom): string {
  const from = ({ good, odd }: Choices): string => random.pick(random.chance(ODD) ? odd : good);
  const lineEnd = (): string => (random.chance(0.1) ? from(LINE_ENDS) : '\r\n');
  const content = random.pick(CONTENTS);
  const framing = random.below(3);
  const fields = Array.from({ length: random.below(MAX_FIELDS) }, () => from(FIELDS));
  fields.splice(random.below(fields.length + 1), 0, from(HOSTS));
  if (framing > 0) {
    const field = from(framing === 1 ? LENGTHS : CODINGS).replaceAll('N', String(content.length));
    fields.splice(random.below(fields.length + 1), 0, field);
  }
  const start = `${from(METHODS)}${from(SPACES)}${from(TARGETS)}${from(SPACES)}${from(VERSIONS)}`;
  let text = from(LEADING) + start + lineEnd();
  for (const field of fields) if (field !== '') text += field + lineEnd();
  text += lineEnd();
  if (framing === 1) return text + content;
  return framing === 2 ? text + chunked(random, from, content) : text;
}

function chunked(random: SeededRandom, from: (choices: Choices) => string, content: string): string {
  let text = '';
  for (let at = 0; at < content.length; ) {
    const part = content.slice(at, at + 1 + random.below(content.length));
    text += `${from(CHUNK_SIZES).replace('N', part.length.toString(16))}${from(LINE_ENDS)}${part}${from(LINE_ENDS)}`;
    at += part.length;
  }
  return `${text}0${from(LINE_ENDS)}${from(TRAILERS)}${from(LINE_ENDS)}`;
}
