import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { Deflater, Inflater } from './deflate.ts';
import { DEFAULT_WEBSOCKET_LIMITS } from './limits.ts';
import type { DirectionTerms } from './wire/deflate-terms.ts';
import type { Violation } from './wire/violation.ts';

const limits = DEFAULT_WEBSOCKET_LIMITS;
const wide: DirectionTerms = { contextTakeover: true, windowBits: 15 };

function pair(terms: DirectionTerms, changed: Partial<typeof limits> = {}): [Deflater, Inflater] {
  const bounds = { ...limits, ...changed };
  return [new Deflater(terms, bounds), new Inflater(terms, bounds)];
}

/** Text in which much is repeated, within one message and between them. */
const message = fc
  .array(fc.constantFrom('spell', 'lumos', ' ', 'nox', '{"id":', '}'), { maxLength: 200 })
  .map((words) => Buffer.from(words.join('')));

suite('messages', () => {
  for (const windowBits of [8, 9, 12, 15]) {
    for (const contextTakeover of [true, false]) {
      test(`come back as they were, window ${windowBits}, takeover ${contextTakeover}`, async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(message, { maxLength: 12 }), fc.boolean(), async (messages, inline) => {
            const deflateInlineBytes = inline ? 1 << 20 : 0;
            const [deflater, inflater] = pair({ contextTakeover, windowBits }, { deflateInlineBytes });
            for (const one of messages) {
              const payload = await deflater.deflate(one);
              assert.deepEqual(await inflater.inflate(payload), one);
            }
          }),
          { numRuns: 30 },
        );
      });
    }
  }

  test('refer to those before them only where that was agreed', async () => {
    const text = Buffer.from('a rather long message about nothing in particular, said twice');
    const [taking] = pair(wide);
    const [first, second] = [await taking.deflate(text), await taking.deflate(text)];
    assert.ok(second.length < first.length / 4);
    const [forgetting] = pair({ ...wide, contextTakeover: false });
    assert.deepEqual(await forgetting.deflate(text), await forgetting.deflate(text));
  });

  test('refer back no further than the window', async () => {
    const [deflater] = pair({ contextTakeover: true, windowBits: 9 });
    const random = Buffer.from(Array.from({ length: 600 }, (_, n) => (n * n * 31 + n * 7) & 0xff));
    await deflater.deflate(random);
    const again = await deflater.deflate(random);
    // 600 bytes later is outside of a window of 512.
    assert.ok(again.length > 500, String(again.length));
  });

  for (const windowBits of [9, 15]) {
    test(`from one zlib stream kept open, as peers have it, are read, window ${windowBits}`, async () => {
      const stream = zlib.createDeflateRaw({ windowBits });
      const [, inflater] = pair({ contextTakeover: true, windowBits });
      for (let n = 0; n < 60; n++) {
        const words = Array.from({ length: 1 + ((n * 37) % 90) }, (_, at) => `word${(n * at) % 50}`);
        const one = Buffer.from(words.join(' '));
        stream.write(one);
        await new Promise<void>((resolve) => stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
        const payload = stream.read() as Buffer;
        assert.deepEqual(await inflater.inflate(payload.subarray(0, -4)), one);
      }
      stream.close();
    });

    test(`are read by one zlib stream kept open, window ${windowBits}`, async () => {
      const stream = zlib.createInflateRaw({ windowBits });
      const [deflater] = pair({ contextTakeover: true, windowBits });
      for (let n = 0; n < 60; n++) {
        const one = Buffer.from(
          Array.from({ length: 1 + ((n * 37) % 90) }, (_, at) => `${(n * at) % 50},`).join(''),
        );
        stream.write(Buffer.concat([await deflater.deflate(one), Buffer.of(0, 0, 0xff, 0xff)]));
        await new Promise<void>((resolve) => stream.flush(resolve));
        assert.deepEqual(stream.read(), one);
      }
      stream.close();
    });
  }
});

suite('inflating is bounded', () => {
  const ruleOf = async (result: ReturnType<Inflater['inflate']>): Promise<string> =>
    ((await result) as Violation).rule;

  for (const inline of [true, false]) {
    test(`a bomb is 1009, ${inline ? 'at once' : 'beside the event loop'}`, async () => {
      const bomb = zlib.deflateRawSync(Buffer.alloc(50_000_000), {
        finishFlush: zlib.constants.Z_SYNC_FLUSH,
      });
      const deflateInlineBytes = inline ? 1 << 20 : 0;
      const [, ratio] = pair(wide, { deflateInlineBytes, messageBytes: 1 << 30 });
      assert.equal(await ruleOf(ratio.inflate(bomb.subarray(0, -4))), 'inflate-ratio');
      const [, absolute] = pair(wide, { deflateInlineBytes, inflateRatio: 2_000 });
      assert.equal(await ruleOf(absolute.inflate(bomb.subarray(0, -4))), 'message-too-big');
    });

    test(`garbage and a cut are 1007, ${inline ? 'at once' : 'beside the event loop'}`, async () => {
      const [, inflater] = pair(wide, { deflateInlineBytes: inline ? 1 << 20 : 0 });
      assert.equal(await ruleOf(inflater.inflate(Buffer.from('ffffff', 'hex'))), 'bad-deflate');
      const good = zlib.deflateRawSync(Buffer.from('Hello, hello, hello'), {
        finishFlush: zlib.constants.Z_SYNC_FLUSH,
      });
      for (let length = 0; length < good.length - 4; length++) {
        assert.equal(await ruleOf(inflater.inflate(good.subarray(0, length))), 'bad-deflate', String(length));
      }
    });
  }

  test('a long message does not hold up the event loop', async () => {
    const long = Buffer.from(Array.from({ length: 200_000 }, (_, n) => `${n} `).join(''));
    const [deflater, inflater] = pair(wide, { messageBytes: 1 << 24 });
    const payload = deflater.deflate(long);
    assert.ok(payload instanceof Promise);
    const inflated = inflater.inflate(await payload);
    assert.ok(inflated instanceof Promise);
    assert.deepEqual(await inflated, long);
  });
});
