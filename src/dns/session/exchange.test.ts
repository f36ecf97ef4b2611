/** Answers and forgeries: what is believed to be the answer to a question of ours. RFC 5452. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLASS, TYPE } from '../wire/codes.ts';
import { decodeMessage, encodeMessage, type Message } from '../wire/message.ts';
import { nameFromText, nameToText } from '../wire/name.ts';
import { Exchange, type ExchangeOptions, type Received } from './exchange.ts';

const SERVER = { address: '192.0.2.1', port: 53 };
const OPTIONS: ExchangeOptions = {
  name: nameFromText('bank.test.'),
  type: TYPE.A,
  recursionDesired: true,
  edns: true,
  server: SERVER,
  maxMismatches: 3,
};
/** Every other letter in upper case. */
const SECRETS = { id: 4711, letterCase: Buffer.from([0xaa, 0xaa]) };

function asked(exchange: Exchange): Message {
  const result = decodeMessage(exchange.query);
  if (result.kind === 'malformed') assert.fail(result.problem);
  return result.message;
}

function answerTo(exchange: Exchange, changes: Partial<Message> = {}): Buffer {
  return encodeMessage({ ...asked(exchange), response: true, ...changes }, { maxBytes: 1232 });
}

test('the question carries the secrets', () => {
  const { id, questions, edns, recursionDesired } = asked(new Exchange(OPTIONS, SECRETS));
  assert.equal(id, 4711);
  assert.equal(nameToText(questions[0]?.name ?? OPTIONS.name), 'BaNk.tEsT.');
  assert.equal(edns?.udpBytes, 1232);
  assert.equal(recursionDesired, true);
});

test('the answer is taken', () => {
  const exchange = new Exchange(OPTIONS, SECRETS);
  assert.equal(exchange.datagram(answerTo(exchange), SERVER).kind, 'answer');
});

const other = { name: nameFromText('BaNk.tEsT.'), type: TYPE.A as number, class: CLASS.IN as number };
const lower = { ...other, name: nameFromText('bank.test.') };

const CASES: readonly [
  what: string,
  from: { address: string; port: number },
  changes: Partial<Message>,
  expected: Received['kind'],
][] = [
  ['another address', { ...SERVER, address: '192.0.2.2' }, {}, 'mismatch'],
  ['another port', { ...SERVER, port: 54 }, {}, 'mismatch'],
  ['another id', SERVER, { id: 4712 }, 'mismatch'],
  ['a question, not an answer', SERVER, { response: false }, 'mismatch'],
  ['another opcode', SERVER, { opcode: 4 }, 'mismatch'],
  ['another name', SERVER, { questions: [{ ...other, name: nameFromText('bonk.test.') }] }, 'mismatch'],
  ['another type', SERVER, { questions: [{ ...other, type: TYPE.MX }] }, 'mismatch'],
  ['another class', SERVER, { questions: [{ ...other, class: CLASS.CH }] }, 'mismatch'],
  ['two questions', SERVER, { questions: [other, other] }, 'mismatch'],
  ['no question', SERVER, { questions: [] }, 'mismatch'],
  ['no question but FORMERR', SERVER, { questions: [], rcode: 1 }, 'answer'],
  ['the letters in another case', SERVER, { questions: [lower] }, 'use-tcp'],
  ['cut off', SERVER, { truncated: true }, 'use-tcp'],
];

for (const [what, from, changes, expected] of CASES) {
  test(`${what}: ${expected}`, () => {
    const exchange = new Exchange(OPTIONS, SECRETS);
    assert.equal(exchange.datagram(answerTo(exchange, changes), from).kind, expected);
    assert.equal(exchange.mismatches, expected === 'mismatch' ? 1 : 0);
  });
}

test('octets that are no message: garbage from the server with our id, else nothing', () => {
  const exchange = new Exchange(OPTIONS, SECRETS);
  assert.equal(
    exchange.datagram(Buffer.concat([answerTo(exchange), Buffer.alloc(1)]), SERVER).kind,
    'garbage',
  );
  assert.equal(exchange.datagram(Buffer.alloc(5), SERVER).kind, 'mismatch');
  assert.equal(exchange.datagram(Buffer.alloc(50, 0xff), SERVER).kind, 'mismatch');
});

test('somebody who keeps guessing is met over TCP', () => {
  const exchange = new Exchange(OPTIONS, SECRETS);
  const guess = (id: number): Received => exchange.datagram(answerTo(exchange, { id }), SERVER);
  assert.deepEqual([guess(1).kind, guess(2).kind, guess(3).kind], ['mismatch', 'mismatch', 'use-tcp']);
});

test('over TCP the case of letters does not matter, the rest does', () => {
  const exchange = new Exchange(OPTIONS, SECRETS);
  assert.equal(exchange.streamed(answerTo(exchange, { questions: [lower] })).kind, 'answer');
  assert.equal(exchange.streamed(answerTo(exchange, { id: 1 })).kind, 'mismatch');
  assert.equal(exchange.streamed(answerTo(exchange, { truncated: true })).kind, 'answer');
});

test('without letter case to guess the name is sent as it is', () => {
  const exchange = new Exchange(OPTIONS, { id: 0 });
  assert.equal(nameToText(asked(exchange).questions[0]?.name ?? other.name), 'bank.test.');
});
