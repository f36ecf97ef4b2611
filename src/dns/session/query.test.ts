import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Answer, bareAnswer } from '../engine/answer.ts';
import { CLASS, RCODE, TYPE } from '../wire/codes.ts';
import { extendedErrorsOf } from '../wire/edns.ts';
import { decodeMessage, encodeMessage, type Message, makeQuery } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { closeQuery, openQuery } from './query.ts';

const question = { name: nameFromText('Spells.test.'), type: TYPE.A as number, class: CLASS.IN as number };
const query = (changes: Partial<Message> = {}): Message => ({
  ...makeQuery(9, question, { recursionDesired: true }),
  ...changes,
});
const bytes = (message: Message): Buffer => encodeMessage(message, { maxBytes: 65_535 });
const edns = { udpBytes: 4096, version: 0, dnssecOk: true, options: [] };

function decoded(octets: Buffer): Message {
  const result = decodeMessage(octets);
  if (result.kind === 'malformed') assert.fail(result.problem);
  return result.message;
}

function replyTo(octets: Buffer): Message {
  const opened = openQuery(octets, 'udp');
  if (opened.kind !== 'reply') assert.fail(`${opened.kind}, not a reply`);
  return decoded(opened.bytes);
}

test('a plain question is opened', () => {
  const opened = openQuery(bytes(query()), 'udp');
  assert.equal(opened.kind === 'query' && opened.query.question.name, question.name);
});

test('not answered: too short, or an answer itself', () => {
  assert.equal(openQuery(Buffer.alloc(11), 'udp').kind, 'drop');
  assert.equal(openQuery(bytes(query({ response: true })), 'udp').kind, 'drop');
});

for (const opcode of [1, 2, 3, 4, 5, 6, 15]) {
  test(`opcode ${opcode}: NOTIMP`, () => {
    const reply = replyTo(bytes(query({ opcode })));
    assert.deepEqual([reply.rcode, reply.opcode, reply.id, reply.response], [RCODE.NOTIMP, opcode, 9, true]);
  });
}

const COMPLAINTS: readonly [what: string, message: Message, rcode: number][] = [
  ['no question', query({ questions: [] }), RCODE.FORMERR],
  ['two questions', query({ questions: [question, question] }), RCODE.FORMERR],
  ['EDNS version 1', query({ edns: { ...edns, version: 1 } }), RCODE.BADVERS],
  ['AXFR', query({ questions: [{ ...question, type: TYPE.AXFR }] }), RCODE.REFUSED],
  ['IXFR', query({ questions: [{ ...question, type: TYPE.IXFR }] }), RCODE.REFUSED],
  ['type OPT', query({ questions: [{ ...question, type: TYPE.OPT }] }), RCODE.FORMERR],
  ['type 0', query({ questions: [{ ...question, type: 0 }] }), RCODE.FORMERR],
  ['MAILB', query({ questions: [{ ...question, type: TYPE.MAILB }] }), RCODE.NOTIMP],
  ['class CH', query({ questions: [{ ...question, class: CLASS.CH }] }), RCODE.REFUSED],
  ['class ANY', query({ questions: [{ ...question, class: CLASS.ANY }] }), RCODE.REFUSED],
];

for (const [what, message, rcode] of COMPLAINTS) {
  test(`${what}: rcode ${rcode}`, () => {
    const reply = replyTo(bytes(message));
    assert.equal(reply.rcode, rcode);
    assert.deepEqual(reply.questions, message.questions);
    assert.equal(reply.edns?.version, message.edns === undefined ? undefined : 0);
  });
}

test('a malformed message: FORMERR with its id, nothing echoed', () => {
  const reply = replyTo(Buffer.concat([bytes(query()), Buffer.from('trailing')]));
  assert.deepEqual(
    [reply.rcode, reply.id, reply.recursionDesired, reply.questions],
    [RCODE.FORMERR, 9, true, []],
  );
});

function closed(message: Message, answer: Answer, transport: 'udp' | 'tcp' = 'udp'): Message {
  const opened = openQuery(bytes(message), transport);
  if (opened.kind !== 'query') assert.fail(opened.kind);
  return decoded(closeQuery(opened.query, answer, true));
}

test('the answer repeats the question in its case, RD and CD, and clears Z', () => {
  const octets = bytes(query({ checkingDisabled: true, authenticData: true }));
  octets[3] = (octets[3] as number) | 0x40;
  const opened = openQuery(octets, 'udp');
  if (opened.kind !== 'query') assert.fail(opened.kind);
  const reply = closeQuery(opened.query, { ...bareAnswer(RCODE.NXDOMAIN), authoritative: true }, true);
  assert.equal(reply.readUInt16BE(2).toString(16), '8593');
  assert.deepEqual(decoded(reply).questions, [question]);
});

const records = Array.from({ length: 100 }, (_, at) => ({
  name: question.name,
  type: TYPE.A,
  class: CLASS.IN,
  ttlSeconds: 60,
  rdata: Buffer.from([10, 0, 0, at]),
}));

for (const [what, udpBytes, transport, fits] of [
  ['without EDNS 512', undefined, 'udp', 512],
  ['EDNS below 512 counts as 512', 100, 'udp', 512],
  ['EDNS 800', 800, 'udp', 800],
  ['EDNS above 1232 counts as 1232', 4096, 'udp', 1232],
  ['TCP', undefined, 'tcp', 65_535],
] as const) {
  test(`size: ${what}`, () => {
    const message = udpBytes === undefined ? query() : query({ edns: { ...edns, udpBytes } });
    // The fixed part with question and OPT, and sixteen octets per record.
    const capacity = Math.floor((fits - 12 - 17 - (udpBytes === undefined ? 0 : 11)) / 16);
    const answerOf = (count: number): Message =>
      closed(message, { ...bareAnswer(RCODE.NOERROR), answers: records.slice(0, count) }, transport);
    if (capacity >= records.length) {
      assert.equal(answerOf(100).truncated, false);
      return;
    }
    assert.equal(answerOf(capacity).truncated, false);
    assert.equal(answerOf(capacity).answers.length, capacity);
    assert.deepEqual([answerOf(capacity + 1).truncated, answerOf(capacity + 1).answers.length], [true, 0]);
  });
}

test('EDNS is answered with EDNS: our size, their DO, the reason', () => {
  const reply = closed(query({ edns }), bareAnswer(RCODE.REFUSED, { infoCode: 18, text: 'not you' }));
  assert.deepEqual([reply.edns?.udpBytes, reply.edns?.dnssecOk], [1232, true]);
  assert.deepEqual(extendedErrorsOf(reply.edns), [{ infoCode: 18, text: 'not you' }]);
  assert.equal(closed(query(), bareAnswer(RCODE.REFUSED, { infoCode: 18, text: 'not you' })).edns, undefined);
});

test('whatever comes, nothing is thrown and no answer is answered', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (octets, plausible) => {
      const input = Buffer.from(octets);
      if (plausible && input.length >= 12) Buffer.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]).copy(input);
      const opened = openQuery(input, 'udp');
      if ((input[2] ?? 0) >= 0x80) assert.equal(opened.kind, 'drop');
    }),
    { numRuns: 2_000 },
  );
});
