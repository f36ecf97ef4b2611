import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  continuation,
  data,
  frame,
  headers,
  PREFACE,
  ping,
  priority,
  reset,
  settings,
  windowUpdate,
} from '../testing/http2-frames.ts';
import { type Flood, FloodGuard } from './flood-guard.ts';

const limits = {
  headBytes: 1_000,
  http2UselessFrames: 10,
  http2UselessFramesPerSecond: 2,
  http2Continuations: 3,
};

const UNWATCHED = { dataSent: () => undefined, resetReceived: () => undefined };

function guard(nowMs = 0): FloodGuard {
  const made = new FloodGuard(limits, nowMs, UNWATCHED);
  made.receive(PREFACE, nowMs);
  return made;
}

/** How many of `bytes` are borne before they are too many. */
function borne(bytes: Buffer, before: (guard: FloodGuard) => void = () => undefined): number | undefined {
  const tested = guard();
  for (let count = 0; count < 1_000; count++) {
    before(tested);
    if (tested.receive(bytes, 0) !== undefined) return count;
  }
  return undefined;
}

const useless: [what: string, bytes: Buffer][] = [
  ['SETTINGS', settings()],
  ['acknowledgements', frame(4, 1, 0)],
  ['PING', ping()],
  ['PRIORITY', priority(3)],
  ['unknown frames', frame(0xbb, 0, 0)],
  ['RST_STREAM', reset(1)],
  ['rapid reset', Buffer.concat([headers(1, Buffer.of(0x82)), reset(1)])],
  ['empty DATA', data(1, '')],
  ['DATA that is all padding', data(1, Buffer.of(3, 0, 0, 0), 8)],
  ['empty header fragments', headers(1, Buffer.alloc(0), 4)],
  ['windows opened by little', windowUpdate(1, 1_023)],
];

for (const [what, bytes] of useless) {
  test(`too many: ${what}`, () => assert.equal(borne(bytes), limits.http2UselessFrames));
}

test('too many: resets of ours, for what the client should not have sent', () => {
  assert.equal(
    borne(headers(1, Buffer.of(0x82)), (tested) => tested.send(reset(1, 3))),
    limits.http2UselessFrames,
  );
  for (const own of [0, 2, 8]) {
    assert.equal(
      borne(headers(1, Buffer.of(0x82)), (tested) => tested.send(reset(1, own))),
      undefined,
    );
  }
});

test('a window is opened once for each DATA frame and its connection, and some in advance', () => {
  assert.equal(borne(windowUpdate(0, 65_535)), 256 + limits.http2UselessFrames);
  const answered = Buffer.concat([windowUpdate(0, 2_000), windowUpdate(1, 2_000)]);
  assert.equal(
    borne(answered, (tested) => tested.send(data(1, 'x'.repeat(2_000)))),
    undefined,
  );
});

test('what is useful costs nothing', () => {
  assert.equal(borne(headers(1, Buffer.of(0x82))), undefined);
  assert.equal(borne(data(1, 'x')), undefined);
  assert.equal(borne(data(1, '', 1)), undefined);
});

test('the budget is filled up with time, and by responses that come to their end, but not beyond', () => {
  const tested = guard();
  const spend = (count: number, nowMs: number): (Flood | undefined)[] =>
    Array.from({ length: count }, () => tested.receive(ping(), nowMs));
  assert.ok(spend(10, 0).every((flood) => flood === undefined));
  assert.ok(spend(4, 2_000).every((flood) => flood === undefined));
  tested.send(headers(1, Buffer.of(0x88), 5));
  tested.send(data(3, 'x', 1));
  tested.send(data(5, 'x', 0));
  assert.ok(spend(2, 2_000).every((flood) => flood === undefined));
  assert.ok(spend(10, 1_000_000).every((flood) => flood === undefined));
  assert.deepEqual(spend(1, 1_000_000), ['http2-useless-frames']);
});

test('a header block is bounded in bytes and frames, before it is decoded', () => {
  const tested = guard();
  assert.equal(tested.receive(headers(1, Buffer.alloc(600), 1), 5), undefined);
  assert.equal(tested.blockSinceMs, 5);
  assert.equal(tested.receive(continuation(1, Buffer.alloc(400), 4), 6), undefined);
  assert.equal(tested.blockSinceMs, undefined);
  assert.equal(tested.receive(headers(3, Buffer.alloc(600), 1), 7), undefined);
  assert.equal(tested.receive(continuation(3, Buffer.alloc(401), 0), 8), 'http2-header-block');
  assert.equal(tested.lastStreamId, 3);

  const other = guard();
  other.receive(headers(1, Buffer.of(0x82), 1), 0);
  for (let count = 0; count < 3; count++) assert.equal(other.receive(continuation(1, 'x'), 0), undefined);
  assert.equal(other.receive(continuation(1, 'x'), 0), 'http2-continuations');
});

test('DATA that leaves is told of, and whether a frame is whole', () => {
  const sent: [number, number][] = [];
  const tested = new FloodGuard(limits, 0, {
    ...UNWATCHED,
    dataSent: (streamId, bytes) => sent.push([streamId, bytes]),
  });
  const bytes = Buffer.concat([data(1, 'abc'), data(3, 'de', 1)]);
  tested.send(bytes.subarray(0, 15));
  assert.equal(tested.sentWholeFrames, false);
  tested.send(bytes.subarray(15));
  assert.equal(tested.sentWholeFrames, true);
  assert.deepEqual(sent, [
    [1, 3],
    [3, 2],
  ]);
});
