import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { HttpClientError, type HttpClientErrorDetails } from '../errors.ts';
import { Fields } from '../wire/fields.ts';
import { mayRepeat, retryAfterMs } from './retry.ts';

const lost = (details: HttpClientErrorDetails = {}) => new HttpClientError('connection-lost', 'x', details);
const url = 'http://a/';

suite('a request is repeated', () => {
  test('when a kept connection closed before any answer, and the method is idempotent', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
      assert.ok(mayRepeat(lost(), { url, method }, true), method);
    for (const method of ['POST', 'PATCH', 'LOCK', 'get'])
      assert.ok(!mayRepeat(lost(), { url, method }, true), method);
    assert.ok(!mayRepeat(lost(), { url }, false), 'a fresh connection');
    assert.ok(!mayRepeat(lost({ answerBegun: true }), { url }, true), 'an answer had begun');
    assert.ok(!mayRepeat(lost(), { url, upgrade: 'x' }, true), 'a switch may have happened');
    assert.ok(!mayRepeat(new HttpClientError('response-timeout', 'x'), { url }, true), 'another failure');
  });

  test('whatever its method when nothing of it left', () => {
    assert.ok(mayRepeat(lost({ unsent: true }), { url, method: 'POST', body: 'x' }, true));
  });

  test('only with its content at hand', () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
    }
    assert.ok(mayRepeat(lost(), { url, method: 'PUT', body: 'x' }, true));
    assert.ok(!mayRepeat(lost(), { url, method: 'PUT', body: pieces() }, true));
    assert.ok(!mayRepeat(lost({ unsent: true }), { url, method: 'PUT', body: pieces() }, true));
  });
});

suite('Retry-After', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const policy = { count: 2, maxWaitMs: 10_000 };
  const wait = (value: string | undefined, status = 503, request: { method?: string } = {}, attempt = 0) => {
    const headers = Fields.from(value === undefined ? [] : [['Retry-After', value]]);
    return retryAfterMs({ url, ...request }, policy, attempt, { status, headers }, nowMs);
  };

  test('is seconds or a date', () => {
    assert.equal(wait('3'), 3_000);
    assert.equal(wait('0', 429), 0);
    assert.equal(wait('Thu, 01 Jan 2026 00:00:05 GMT'), 5_000);
    assert.equal(wait('Wed, 31 Dec 2025 23:59:00 GMT'), 0);
  });

  test('is not heeded past the bounds, for other answers, or where a repetition is unsafe', () => {
    for (const value of ['11', '-1', '1.5', 'soon', '', undefined])
      assert.equal(wait(value), undefined, String(value));
    assert.equal(wait('1', 301), undefined);
    assert.equal(wait('1', 503, { method: 'POST' }), undefined);
    assert.equal(wait('1', 503, {}, 2), undefined);
  });
});
