/**
 * Heads at random. Each is taken or refused, never thrown at; what is taken has nothing that could begin another
 * line, and written again it is read as the same.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { DEFAULT_HTTP_LIMITS } from '../limits.ts';
import { BAD_REQUESTS, BAD_RESPONSES } from '../testing/attacks.ts';
import { mutated } from '../testing/mutate.ts';
import { encodeFields, encodeRequestLine } from './encode-head.ts';
import type { Fields } from './fields.ts';
import { FieldsMemo } from './fields-memo.ts';
import type { Malformed } from './malformed.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

const GOOD_REQUESTS = [
  'GET /a?b=%20 HTTP/1.1\r\nHost: a:80\r\nX-Y:  z \t\r\nAccept: */*\r\n\r\n',
  'OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n',
  'CONNECT a:80 HTTP/1.1\r\nHost: [::1]:80\r\nUpgrade: x\r\nConnection: Upgrade, close\r\n\r\n',
  'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: \xe9\r\n\r\n',
];
const GOOD_RESPONSES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n',
  'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n',
  'HTTP/1.0 304 Not \xe9 Modified\r\nETag: "a"\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
];
const short = ({ bytes }: { bytes: string }): boolean => bytes.length < 300;
const REQUESTS = [...GOOD_REQUESTS, ...BAD_REQUESTS.filter(short).map(({ bytes }) => bytes)];
const RESPONSES = [...GOOD_RESPONSES, ...BAD_RESPONSES.filter(short).map(({ bytes }) => bytes)];

export const fuzz = {
  name: 'heads',
  /** @throws AssertionFailed naming what repeats the fault */
  run(seed: number, inputs: number): void {
    const random = new SeededRandom(seed);
    for (let round = 0; round < inputs; round++) {
      const isRequest = random.chance(0.6);
      const head = headOf(mutated(random, isRequest ? REQUESTS : RESPONSES));
      const why = `seed ${seed}, round ${round}: ${JSON.stringify(head)}`;
      if (isRequest) checkRequest(head, why);
      else checkResponse(head, random.chance(0.2) ? 'HEAD' : 'GET', why);
    }
  },
};

/** Up to its empty line, which is left out, as a session gives it to a parser. */
function headOf(text: string): string {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? `${text}\r\n` : text.slice(0, end + 2);
}

function checkRequest(text: string, why: string): void {
  const head = parseRequestHead(text, 0, text.length, DEFAULT_HTTP_LIMITS, new FieldsMemo());
  if (head.kind === 'malformed') return checkRefusal(head, why);
  checkFields(head.fields, why);
  if (head.target !== '*' && !head.target.startsWith('/')) assert(head.method === 'CONNECT', why);
  const again = encodeRequestLine(head.method, head.target) + encodeFields([...head.fields]);
  const written = head.version === '1.1' ? again : again.replace('HTTP/1.1', 'HTTP/1.0');
  const second = parseRequestHead(written, 0, written.length, DEFAULT_HTTP_LIMITS, new FieldsMemo());
  assert(second.kind === 'request', why);
  assert(JSON.stringify([...second.fields]) === JSON.stringify([...head.fields]), why);
  assert(JSON.stringify({ ...second, fields: 0 }) === JSON.stringify({ ...head, fields: 0 }), why);
}

function checkResponse(text: string, method: string, why: string): void {
  const head = parseResponseHead(text, 0, text.length, method, DEFAULT_HTTP_LIMITS);
  if (head.kind === 'malformed') return checkRefusal(head, why);
  assert(head.status >= 100 && head.status <= 599, why);
  checkFields(head.fields, why);
}

function checkRefusal({ status, message }: Malformed, why: string): void {
  assert(status >= 400 && status <= 599 && message !== '', why);
}

function checkFields(fields: Fields, why: string): void {
  for (const [name, value] of fields) {
    assert(name !== '' && !/[^!-~]|:/.test(name), why);
    assert(!/[^\t -~\x80-\xff]|^[ \t]|[ \t]$/.test(value), why);
  }
}
