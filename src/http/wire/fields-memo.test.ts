import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { FieldsMemo } from './fields-memo.ts';

const LIMITS = { fieldCount: 4, fieldBytes: 3_000 };
const HOST = 'Host: a\r\n';

function host(memo: FieldsMemo, text: string, from = 0, to = text.length): string | undefined {
  const parsed = memo.parse(text, from, to, '1.1', LIMITS);
  return parsed.kind === 'fields' ? parsed.control.host : parsed.code;
}

suite('the memo of fields', () => {
  test('gives the same fields for the same bytes, wherever they stand', () => {
    const memo = new FieldsMemo();
    const first = memo.parse(HOST, 0, HOST.length, '1.1', LIMITS);
    const text = `GET / HTTP/1.1\r\n${HOST}\r\nbehind`;
    const again = memo.parse(text, 16, 16 + HOST.length, '1.1', LIMITS);
    assert.equal(again, first);
    assert.equal(first.kind === 'fields' && first.fields.get('host'), 'a');
  });

  test('is not fooled by what begins alike, ends alike, or is longer or shorter', () => {
    const memo = new FieldsMemo();
    for (const name of ['a', 'b', 'ab', 'a', 'aa']) assert.equal(host(memo, `Host: ${name}\r\n`), name);
    const two = `${HOST}X: 1\r\n`;
    assert.equal(host(memo, HOST), 'a');
    assert.equal(host(memo, two), 'a');
    assert.equal(host(memo, two.slice(0, HOST.length)), 'a');
  });

  test('is not fooled by fields of the same length that differ in any one place, be they few or many', () => {
    for (const length of [1, 20, 31, 32, 33, 34, 100, 600]) {
      for (const at of new Set([0, 1, 15, Math.floor(length / 2), length - 2, length - 1])) {
        if (at < 0 || at >= length) continue;
        const [one, other] = ['x'.repeat(length), `${'x'.repeat(at)}y${'x'.repeat(length - at - 1)}`];
        const memo = new FieldsMemo();
        for (const value of [one, other, one, one, other]) {
          const text = `behind\r\n${HOST}X: ${value}\r\nGET`;
          const parsed = memo.parse(text, 8, text.length - 3, '1.1', LIMITS);
          assert.equal(parsed.kind === 'fields' && parsed.fields.get('x'), value, `${length}, at ${at}`);
        }
      }
    }
  });

  test('knows that the version is part of the meaning', () => {
    const memo = new FieldsMemo();
    const chunked = `${HOST}Transfer-Encoding: chunked\r\n`;
    const parse = (version: '1.0' | '1.1') => memo.parse(chunked, 0, chunked.length, version, LIMITS).kind;
    assert.deepEqual([parse('1.1'), parse('1.0'), parse('1.1')], ['fields', 'malformed', 'fields']);
  });

  test('keeps nothing of what was refused', () => {
    const memo = new FieldsMemo();
    for (let time = 0; time < 2; time++) assert.equal(host(memo, 'Host : a\r\n'), 'space-before-colon');
    assert.equal(host(memo, HOST), 'a');
  });

  test('is right for fields that differ each time, and for long ones, which it does not keep', () => {
    const memo = new FieldsMemo();
    for (let n = 0; n < 20; n++) assert.equal(host(memo, `Host: a${n}\r\n`), `a${n}`);
    const long = `${HOST}X: ${'x'.repeat(2_100)}\r\n`;
    assert.equal(host(new FieldsMemo(), long), 'a');
  });
});
