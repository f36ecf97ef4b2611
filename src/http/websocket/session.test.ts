import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { chunkings } from '../../core/testing/chunkings.ts';
import { DEFAULT_WEBSOCKET_LIMITS } from './limits.ts';
import { fuzzSession } from './session.fuzz.ts';
import { WebSocketSession } from './session.ts';
import { BAD_TEXTS, CATALOGUE, type WebSocketCase } from './testing/catalogue.ts';
import { closePayload, hex, TEST_MASK, type TestFrame, testFrames } from './testing/frames.ts';
import { type Played, play } from './testing/played.ts';

const limits = DEFAULT_WEBSOCKET_LIMITS;
type Role = 'client' | 'server';
const peerOf = (role: Role): Role => (role === 'client' ? 'server' : 'client');

/** Longer input is not split at every offset, but in pieces of a few sizes. */
const SPLIT_EVERYWHERE_BYTES = 600;

function* arrivals(bytes: Buffer): Generator<Iterable<Buffer>> {
  if (bytes.length <= SPLIT_EVERYWHERE_BYTES) {
    yield* chunkings(bytes);
    return;
  }
  for (const size of [bytes.length, 1, 7, 4_099, 65_536]) {
    yield Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
      bytes.subarray(n * size, (n + 1) * size),
    );
  }
}

function expectCase(one: WebSocketCase, role: Role, played: Played): void {
  assert.deepEqual(played.messages, one.messages);
  assert.equal(played.output.toString('hex'), testFrames(one.replies, role).toString('hex'));
  assert.equal(played.ending?.code, one.ends);
}

suite('the catalogue', () => {
  for (const role of ['server', 'client'] as const) {
    for (const one of CATALOGUE) {
      test(`${role} hears ${one.name}`, () => {
        const bytes = testFrames(one.frames, peerOf(role));
        for (const chunks of arrivals(bytes)) expectCase(one, role, play(chunks, { ...one, role }));
      });
    }
  }

  test('names no case twice', () => {
    assert.equal(new Set(CATALOGUE.map(({ name }) => name)).size, CATALOGUE.length);
  });
});

/** Told once its first bytes are there: what is refused, from whom, and what becomes of it. */
const HEADERS: readonly (readonly [name: string, role: Role, bytes: string, code: number])[] = [
  ['a frame of a client without a mask', 'server', '81 01', 1002],
  ['a control frame of a client without a mask', 'server', '89 00', 1002],
  ['a frame of a server with a mask', 'client', '81 81', 1002],
  ['0 in the long form of 16 bits', 'server', '81 fe 00 00', 1002],
  ['125 in the long form of 16 bits', 'server', '82 fe 00 7d', 1002],
  ['125 in the long form of 16 bits, of a server', 'client', '82 7e 00 7d', 1002],
  ['125 in the long form of 64 bits', 'server', '82 ff 00 00 00 00 00 00 00 7d', 1002],
  ['65,535 in the long form of 64 bits', 'server', '82 ff 00 00 00 00 00 00 ff ff', 1002],
  ['a length with its highest bit set', 'server', '82 ff 80 00 00 00 00 00 00 00', 1002],
  ['a length beyond 2^53', 'server', '82 ff 00 20 00 00 00 00 00 00', 1009],
  ['a length of 4 GiB', 'server', '82 ff 00 00 00 01 00 00 00 00 00 00 00 00', 1009],
  ['a close frame with a 16 bit length', 'server', '88 fe', 1002],
];

suite('headers', () => {
  for (const [name, role, bytes, code] of HEADERS) {
    test(`refused: ${name}`, () => {
      for (const chunks of chunkings(hex(bytes))) {
        const played = play(chunks, { role });
        assert.equal(played.ending?.code, code);
        assert.equal(played.endedAfterBytes, hex(bytes).length);
        assert.equal(played.session.state, 'failed');
      }
    });
  }

  test('are taken in the examples of RFC 6455 section 5.7', () => {
    const masked = play([hex('81 85 37 fa 21 3d 7f 9f 4d 51 58')], { role: 'server' });
    assert.deepEqual(masked.messages, ['Hello']);
    const fragments = play([hex('01 03 48 65 6c 80 02 6c 6f')], { role: 'client' });
    assert.deepEqual(fragments.messages, ['Hello']);
    const ping = play([hex('89 05 48 65 6c 6c 6f')], { role: 'client' });
    assert.equal(ping.output.toString('hex'), '8a8537fa213d7f9f4d5158');
    const mask = play([hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58')], { role: 'server' });
    assert.equal(mask.output.length, 0);
    const long = play([Buffer.concat([hex('82 7f 00 00 00 00 00 01 00 00'), Buffer.alloc(65_536)])], {
      role: 'client',
    });
    assert.deepEqual(long.messages, [Buffer.alloc(65_536)]);
  });

  test('a mask of zeros is a mask', () => {
    assert.deepEqual(play([hex('81 82 00 00 00 00 c3 a9')], { role: 'server' }).messages, ['é']);
    assert.equal(play([hex('81 81 00 00 00 00 ff')], { role: 'server' }).ending?.code, 1007);
  });

  test('a message too big is refused by its announcement', () => {
    const played = play([hex('82 fe 00 80 00 00 00 00')], { role: 'server', limits: { messageBytes: 127 } });
    assert.equal(played.ending?.code, 1009);
  });
});

suite('text', () => {
  for (const [bytes, knownAfter] of BAD_TEXTS) {
    test(`is refused at the first byte that cannot be right: ${bytes}`, () => {
      const text = hex(bytes);
      const header = 2 + 4;
      const played = play(
        Array.from(testFrames([[0x81, text]], 'client'), (byte) => Buffer.of(byte)),
        { role: 'server' },
      );
      assert.equal(played.ending?.code, 1007);
      assert.equal(played.endedAfterBytes, header + Math.min(knownAfter, text.length));
    });
  }

  test('of any fragments arrives as it was', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.infiniteStream(fc.integer({ min: 0, max: 5 })),
        (text, sizes) => {
          const bytes = Buffer.from(text.toWellFormed());
          const frames: TestFrame[] = [];
          let at = 0;
          for (const size of sizes) {
            const piece = bytes.subarray(at, at + size);
            at += size;
            frames.push([(frames.length === 0 ? 0x01 : 0x00) | (at >= bytes.length ? 0x80 : 0), piece]);
            if (at >= bytes.length) break;
          }
          const played = play([testFrames(frames, 'client')], { role: 'server' });
          assert.deepEqual(played.messages, [text.toWellFormed()]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

suite('streaming', () => {
  test('tells pieces as they arrive, and the last as such', () => {
    const bytes = testFrames(
      [
        [0x02, 'abcd'],
        [0x89, ''],
        [0x80, 'ef'],
        [0x81, 'whole'],
        [0x82, ''],
      ],
      'client',
    );
    for (const chunks of chunkings(bytes)) {
      const { parts, messages } = play(chunks, { role: 'server', streaming: true });
      assert.deepEqual(messages, []);
      const joined: string[] = [];
      let present = '';
      for (const part of parts) {
        present += part.bytes.toString();
        if (!part.last) continue;
        joined.push(`${part.of} ${present}`);
        present = '';
      }
      assert.deepEqual(joined, ['binary abcdef', 'text whole', 'binary ']);
    }
  });

  test('begun inside of a message hands out what was held first', () => {
    const session = serverSession();
    session.receive(testFrames([[0x02, 'abcd']], 'client'), 0);
    assert.equal(session.next(0).kind, 'need-data');
    session.streaming = true;
    session.receive(testFrames([[0x80, 'ef']], 'client'), 0);
    assert.deepEqual(session.next(0), {
      kind: 'part',
      of: 'binary',
      bytes: Buffer.from('abcdef'),
      last: true,
    });
  });

  test('refuses text that is not UTF-8 in the piece that shows it', () => {
    const played = play(
      [
        testFrames(
          [
            [0x01, 'good'],
            [0x00, hex('c0')],
            [0x80, 'x'],
          ],
          'client',
        ),
      ],
      {
        role: 'server',
        streaming: true,
      },
    );
    assert.deepEqual(
      played.parts.map(({ bytes }) => bytes.toString()),
      ['good'],
    );
    assert.equal(played.ending?.code, 1007);
  });
});

function serverSession(changed: Partial<typeof limits> = {}): WebSocketSession {
  return new WebSocketSession({ role: 'server', limits: { ...limits, ...changed }, compression: false }, 0);
}

function written(session: WebSocketSession): string {
  return Buffer.concat(session.takeOutput()).toString('hex');
}

suite('writing', () => {
  test('a server’s frames, in literal bytes', () => {
    const session = serverSession();
    session.send('text', 'Hello');
    session.send('binary', hex('00 ff'));
    session.sendPart('text', hex('c3'), false);
    session.sendPart('text', hex('a9'), false);
    session.sendPart('text', Buffer.alloc(0), true);
    session.close(1001, 'bye', 0);
    assert.equal(
      written(session),
      '810548656c6c6f' + '820200ff' + '0101c3' + '0001a9' + '8000' + '880503e9627965',
    );
  });

  test('a client’s frames are masked, each with a key of its own', () => {
    const keys = [TEST_MASK, 0, -1];
    const session = new WebSocketSession(
      { role: 'client', limits, compression: false, maskKey: () => keys.shift()! },
      0,
    );
    session.send('text', 'Hello');
    session.send('text', 'Hello');
    session.close(1000, '', 0);
    assert.equal(written(session), '818537fa213d7f9f4d5158' + '81850000000048656c6c6f' + '8882fffffffffc17');
  });

  test('many frames of one read are one write', () => {
    const session = serverSession();
    session.receive(
      testFrames(
        Array.from({ length: 50 }, (): TestFrame => [0x81, 'x']),
        'client',
      ),
      0,
    );
    for (let event = session.next(0); event.kind === 'text'; event = session.next(0))
      session.send('text', event.text);
    const output = session.takeOutput();
    assert.equal(output.length, 1);
    assert.equal(output[0]!.toString('hex'), '810178'.repeat(50));
  });

  test('long payloads are not copied behind their header', () => {
    const session = serverSession();
    const long = Buffer.alloc(70_000, 1);
    session.send('text', 'a');
    session.send('binary', long);
    session.send('text', 'b');
    const output = session.takeOutput();
    assert.equal(output[1]!.buffer, long.buffer);
    assert.equal(output[0]!.toString('hex'), '810161' + '827f0000000000011170');
    assert.equal(output[2]!.toString('hex'), '810162');
  });

  test('what one end writes the other reads as it was', () => {
    const message = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }).map((text) => text.toWellFormed()),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 60_000, max: 70_000 }).map((size) => Buffer.alloc(size, 0xa5)),
    );
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.boolean(),
        fc.integer(),
        (messages, isClient, maskKey) => {
          const writer = new WebSocketSession(
            isClient
              ? { role: 'client', limits, compression: false, maskKey: () => maskKey }
              : { role: 'server', limits, compression: false },
            0,
          );
          for (const one of messages) writer.send(typeof one === 'string' ? 'text' : 'binary', one);
          const read = play([Buffer.concat(writer.takeOutput())], { role: isClient ? 'server' : 'client' });
          assert.deepEqual(read.messages, messages);
          assert.equal(read.ending, undefined);
        },
      ),
      { numRuns: 200 },
    );
  });
});

suite('closing', () => {
  test('our close frame is answered by the peer’s, and data between is dropped', () => {
    const session = serverSession();
    session.close(1000, '', 0);
    assert.equal(session.state, 'closing');
    session.receive(
      testFrames(
        [
          [0x81, 'late'],
          [0x89, 'late'],
          [0x88, closePayload(1000)],
        ],
        'client',
      ),
      1,
    );
    assert.deepEqual(session.next(1), { kind: 'ended', ending: { code: 1000, reason: '', clean: true } });
    assert.equal(session.next(1).kind, 'need-data');
    assert.equal(session.state, 'closed');
    assert.equal(written(session), '880203e8');
  });

  test('a broken rule while closing ends it without a second close frame', () => {
    const session = serverSession();
    session.close(1000, '', 0);
    session.takeOutput();
    session.receive(hex('81 01'), 0);
    const event = session.next(0);
    assert.ok(event.kind === 'ended' && event.ending.code === 1002 && !event.ending.clean);
    assert.equal(written(session), '');
  });

  test('an end without a close frame is 1006, inside of a frame too', () => {
    for (const bytes of ['', '81', '81 85 00 00 00 00 48', '89 81 00 00 00 00']) {
      const session = serverSession();
      session.receive(hex(bytes), 0);
      session.receiveEnd();
      assert.deepEqual(session.next(0), { kind: 'ended', ending: { code: 1006, reason: '', clean: false } });
      assert.equal(session.state, 'lost');
    }
  });

  test('what came before the end is told before it', () => {
    const session = serverSession();
    session.receive(
      testFrames(
        [
          [0x81, 'x'],
          [0x88, closePayload(1000)],
        ],
        'client',
      ),
      0,
    );
    session.receiveEnd();
    assert.equal(session.next(0).kind, 'text');
    assert.deepEqual(session.next(0), { kind: 'ended', ending: { code: 1000, reason: '', clean: true } });
  });
});

suite('time', () => {
  test('a silent peer is asked by a ping, and given up when it stays silent', () => {
    const session = serverSession({ pingIntervalMs: 100, pongTimeoutMs: 50 });
    assert.deepEqual(session.deadline(), { phase: 'ping', atMs: 100 });
    assert.equal(session.expire(99), undefined);
    assert.equal(session.expire(100), 'ping');
    assert.equal(written(session), '8900');
    assert.deepEqual(session.deadline(), { phase: 'pong', atMs: 150 });
    assert.equal(session.expire(150), 'pong');
    const event = session.next(150);
    assert.ok(event.kind === 'ended' && event.ending.code === 1006);
    assert.equal(session.deadline(), undefined);
  });

  test('any byte is a sign of life', () => {
    const session = serverSession({ pingIntervalMs: 100, pongTimeoutMs: 50 });
    session.expire(100);
    session.receive(hex('81'), 140);
    assert.deepEqual(session.deadline(), { phase: 'ping', atMs: 240 });
  });

  test('time in which we do not read is not held against the peer', () => {
    const session = serverSession({ pingIntervalMs: 100, pongTimeoutMs: 50 });
    session.expire(100);
    session.setReading(false, 110);
    assert.equal(session.deadline(), undefined);
    session.setReading(true, 1_110);
    assert.deepEqual(session.deadline(), { phase: 'pong', atMs: 1_150 });
  });

  test('a peer that does not answer our close frame is given up', () => {
    const session = serverSession({ closeTimeoutMs: 30 });
    session.close(1000, '', 5);
    assert.deepEqual(session.deadline(), { phase: 'close', atMs: 35 });
    assert.equal(session.expire(35), 'close');
    assert.equal(session.state, 'lost');
  });

  test('a write that the peer does not take has a bound', () => {
    const session = serverSession({ writeStallTimeoutMs: 20 });
    session.setBlocked(true, 5);
    session.setBlocked(true, 10);
    assert.deepEqual(session.deadline(), { phase: 'write', atMs: 25 });
    assert.equal(session.expire(25), 'write');
    session.setBlocked(false, 26);
    assert.equal(session.deadline()?.phase, 'ping');
  });

  test('the bound of control frames grows back', () => {
    const session = serverSession({ controlFramesPerSecond: 2 });
    const ping = (): Buffer => testFrames([[0x89, '']], 'client');
    for (const now of [0, 0, 500, 1_000, 1_500, 2_000]) {
      session.receive(ping(), now);
      assert.equal(session.next(now).kind, 'need-data');
    }
    session.receive(ping(), 2_001);
    const event = session.next(2_001);
    assert.ok(event.kind === 'ended' && event.ending.code === 1008);
  });
});

suite('memory', () => {
  test('an announced length takes none', () => {
    const before = process.memoryUsage().arrayBuffers;
    const sessions = Array.from({ length: 50 }, () => {
      const session = serverSession({ messageBytes: 1 << 30 });
      session.receive(hex('82 ff 00 00 00 00 3f ff ff ff 00 00 00 00 01'), 0);
      session.next(0);
      return session;
    });
    assert.equal(sessions.length, 50);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  });
});

suite('fuzz', () => {
  test('mutated conversations: no exception, the same outcome however they are cut', () => {
    const report = fuzzSession({ seed: 1, conversations: 1_500 });
    assert.equal(report.conversations, 1_500);
    // Otherwise the mutations do not reach what they should.
    assert.ok(report.failed > 300 && report.messages > 300, JSON.stringify(report));
  });
});
