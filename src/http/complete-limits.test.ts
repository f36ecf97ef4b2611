import assert from 'node:assert/strict';
import test from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { createHttpClient } from './client/index.ts';
import { completeLimits } from './complete-limits.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
import { text } from './reply.ts';
import { startHttpServer } from './server.ts';

const refused = [
  { headBytes: Number.NaN },
  { headBytes: -1 },
  { headTimeoutMs: '10' as unknown as number },
  { bodyBytes: null as unknown as number },
  // A rate of nothing: the time that a byte takes is no number.
  { bodyBytesPerSecond: 0 },
];

test('a bound that is not given is the standard one', () => {
  assert.deepEqual(completeLimits(DEFAULT_HTTP_LIMITS), DEFAULT_HTTP_LIMITS);
  const given: { [Name in keyof HttpLimits]?: number | undefined } = {
    headBytes: undefined,
    bodyBytes: 0,
    fieldCount: 7,
  };
  assert.deepEqual(completeLimits(DEFAULT_HTTP_LIMITS, given as Partial<HttpLimits>), {
    ...DEFAULT_HTTP_LIMITS,
    bodyBytes: 0,
    fieldCount: 7,
  });
});

test('one that bounds nothing is refused before anything listens or connects', async () => {
  const host = testHost('http');
  const address = { host: '127.0.0.1', port: 0 };
  for (const limits of refused) {
    const started = startHttpServer({ host, address, handler: () => text(200, ''), limits });
    await assert.rejects(started, { code: 'bad-limit' }, JSON.stringify(limits));
    assert.throws(() => createHttpClient({ ...host, limits }), { code: 'bad-limit' });
  }
  assert.throws(() => createHttpClient({ ...host, maxConnections: Number.NaN }), { code: 'bad-limit' });
});
