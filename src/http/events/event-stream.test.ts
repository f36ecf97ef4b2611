import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { createHttpClient } from '../client/client.ts';
import { HttpError } from '../errors.ts';
import type { EventLimits } from '../limits.ts';
import { startHttpServer } from '../server.ts';
import type { Handler, HeaderList } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { Fields } from '../wire/fields.ts';
import { EventHub, eventStream, readEvents, type ServerEvent } from './index.ts';

const newHub = (limits: Partial<EventLimits> = {}): EventHub => new EventHub({ epoch: 'e', limits });

interface Opened {
  readonly clock: SimulatedClock;
  readonly gone: AbortController;
  readonly headers: HeaderList;
  /** The next piece as text; undefined at the end. */
  next(): Promise<string | undefined>;
  close(): Promise<unknown>;
}

function open(
  events: EventHub | AsyncIterable<ServerEvent>,
  options: {
    lastEventId?: string;
    accept?: (event: ServerEvent) => boolean;
    newest?: number;
    retryMs?: number;
  } = {},
): Opened {
  const clock = new SimulatedClock();
  const gone = new AbortController();
  const { lastEventId, ...rest } = options;
  const headers = Fields.from(lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId]]);
  const response = eventStream({ request: { headers, signal: gone.signal }, clock, events, ...rest });
  const body = response.body as AsyncIterable<Buffer>;
  const iterator = body[Symbol.asyncIterator]();
  return {
    clock,
    gone,
    headers: response.headers ?? [],
    next: async () => {
      const { done, value } = await iterator.next();
      return done === true ? undefined : (value as Buffer).toString('utf8');
    },
    close: async () => iterator.return?.(),
  };
}

async function* endless(): AsyncGenerator<ServerEvent, void, void> {
  await new Promise(() => undefined);
}

suite('a stream of events', () => {
  test('has the fields that keep caches, proxies and guessing away', () => {
    assert.deepEqual(open(newHub()).headers, [
      ['Content-Type', 'text/event-stream'],
      ['Cache-Control', 'no-store, no-transform'],
      ['X-Content-Type-Options', 'nosniff'],
      ['X-Accel-Buffering', 'no'],
    ]);
  });

  test('begins at once, and then tells of what is published from now on', async () => {
    const hub = newHub();
    hub.publish({ data: 'before' });
    const stream = open(hub, { retryMs: 500 });
    assert.equal(hub.publish({ data: 'a', event: 'x' }), 'e.2');
    hub.publish({ data: 'b' });
    assert.equal(await stream.next(), 'retry: 500\n\n');
    // What is there already goes out in one piece.
    assert.equal(await stream.next(), 'id: e.2\nevent: x\ndata: a\n\nid: e.3\ndata: b\n\n');
    const waiting = stream.next();
    hub.publish({ data: 'c' });
    assert.equal(await waiting, 'id: e.4\ndata: c\n\n');
  });

  test('begins with the newest events where that is asked for, unless its client resumes', async () => {
    const hub = newHub({ replayEvents: 3 });
    for (const data of ['a', 'b', 'c', 'd']) hub.publish({ data });
    const first = open(hub, { newest: 2 });
    await first.next();
    assert.equal(await first.next(), 'id: e.3\ndata: c\n\nid: e.4\ndata: d\n\n');
    const allHeld = open(hub, { newest: 9 });
    await allHeld.next();
    assert.match((await allHeld.next()) ?? '', /^id: e\.2\n/, 'as many as are held');
    const resumed = open(hub, { newest: 2, lastEventId: 'e.3' });
    await resumed.next();
    assert.equal(await resumed.next(), 'id: e.4\ndata: d\n\n');
    const lost = open(hub, { newest: 1, lastEventId: 'other.3' });
    await lost.next();
    assert.equal(await lost.next(), 'event: gap\ndata: \n\n');
    assert.equal(await lost.next(), 'id: e.4\ndata: d\n\n');
  });

  test('tells only what its client may hear', async () => {
    const hub = newHub();
    const stream = open(hub, { accept: (event) => event.event === 'mine' });
    assert.equal(await stream.next(), ':\n');
    hub.publish({ data: 'secret', event: 'theirs' });
    const waiting = stream.next();
    hub.publish({ data: 'more', event: 'theirs' });
    hub.publish({ data: 'a', event: 'mine' });
    assert.equal(await waiting, 'id: e.3\nevent: mine\ndata: a\n\n');
  });

  test('breaks a silence with a comment, again and again, and loses nothing by it', async () => {
    const hub = newHub();
    const stream = open(hub);
    await stream.next();
    for (let silence = 0; silence < 3; silence++) {
      const waiting = stream.next();
      await stream.clock.advance(14_999);
      assert.equal(stream.clock.pendingCount, 1);
      await stream.clock.advance(1);
      assert.equal(await waiting, ':\n');
    }
    const waiting = stream.next();
    hub.publish({ data: 'a' });
    assert.equal(await waiting, 'id: e.1\ndata: a\n\n');
    assert.equal(stream.clock.pendingCount, 0);
  });

  test('of an iterable is pulled one by one, heartbeats between', async () => {
    let made = 0;
    const gate = Promise.withResolvers<void>();
    const stream = open(
      (async function* () {
        made++;
        yield { data: '1', id: 'x' };
        made++;
        await gate.promise;
        yield { data: '2' };
      })(),
    );
    await stream.next();
    assert.equal(made, 0);
    assert.equal(await stream.next(), 'id: x\ndata: 1\n\n');
    assert.equal(made, 1);
    const waiting = stream.next();
    await stream.clock.advance(15_000);
    assert.equal(await waiting, ':\n');
    gate.resolve();
    assert.equal(await stream.next(), 'data: 2\n\n');
    assert.equal(await stream.next(), undefined);
    assert.equal(made, 2);
  });

  test('of an iterable that fails, fails', async () => {
    const stream = open(
      // biome-ignore lint/correctness/useYield: it fails before the first event
      (async function* (): AsyncGenerator<ServerEvent, void, void> {
        throw new Error('the source broke');
      })(),
    );
    await stream.next();
    await assert.rejects(stream.next(), /the source broke/);
    assert.equal(await stream.next(), undefined);
  });

  test('ends when the client is gone, when it is let go, and when the hub closes', async () => {
    const hub = newHub();
    const gone = open(hub);
    await gone.next();
    const waiting = gone.next();
    assert.equal(hub.waitingStreams, 1);
    gone.gone.abort();
    assert.equal(await waiting, undefined);
    assert.equal(hub.waitingStreams, 0);
    const unread = open(hub);
    await unread.close();
    const closing = open(hub);
    hub.publish({ data: 'last' });
    hub.close();
    await closing.next();
    assert.equal(await closing.next(), 'id: e.1\ndata: last\n\n');
    assert.equal(await closing.next(), undefined);
    assert.deepEqual([hub.streams, hub.droppedStreams], [0, 0]);
    assert.equal(gone.clock.pendingCount, 0);
    assert.throws(() => open(hub), { status: 503 });
  });

  test('of a stuck iterable ends, too, when the client is gone', async () => {
    const stream = open(endless());
    await stream.next();
    const waiting = stream.next();
    stream.gone.abort();
    assert.equal(await waiting, undefined);
    const late = open(endless());
    late.gone.abort();
    assert.equal(await late.next(), undefined);
  });

  test('is refused beyond their number', () => {
    const hub = newHub({ streams: 2 });
    open(hub);
    const second = open(hub);
    assert.throws(
      () => open(hub),
      (thrown) => thrown instanceof HttpError && thrown.status === 503,
    );
    second.gone.abort();
    assert.equal(hub.streams, 1);
    open(hub);
  });
});

suite('a stream resumes', () => {
  test('behind the event named, and at the end', async () => {
    const hub = newHub();
    for (const data of ['a', 'b', 'c']) hub.publish({ data });
    const resumed = open(hub, { lastEventId: 'e.1' });
    await resumed.next();
    assert.equal(await resumed.next(), 'id: e.2\ndata: b\n\nid: e.3\ndata: c\n\n');
    const current = open(hub, { lastEventId: 'e.3' });
    await current.next();
    const waiting = current.next();
    hub.publish({ data: 'd' });
    assert.equal(await waiting, 'id: e.4\ndata: d\n\n');
  });

  test('behind an event that is itself gone', async () => {
    const hub = newHub({ replayEvents: 2 });
    for (const data of ['a', 'b', 'c']) hub.publish({ data });
    const resumed = open(hub, { lastEventId: 'e.1' });
    await resumed.next();
    assert.equal(await resumed.next(), 'id: e.2\ndata: b\n\nid: e.3\ndata: c\n\n');
  });

  const unknown = [
    'e.1',
    'f.4',
    'e.6',
    'e.0',
    'e.-1',
    'e.99999999999999999999',
    'e.',
    '.',
    'e',
    '__proto__.4',
  ];
  for (const lastEventId of [...unknown, 'x'.repeat(8_000)]) {
    test(`with a gap where ${lastEventId.slice(0, 30)} is not held`, async () => {
      const hub = newHub({ replayEvents: 2 });
      for (const data of ['a', 'b', 'c', 'd']) hub.publish({ data });
      const stream = open(hub, { lastEventId });
      await stream.next();
      assert.equal(await stream.next(), 'event: gap\ndata: \n\n');
      const waiting = stream.next();
      hub.publish({ data: 'e' });
      assert.equal(await waiting, 'id: e.5\ndata: e\n\n');
    });
  }
});

suite('memory is bounded', () => {
  test('in events and in bytes, whatever is published', () => {
    const hub = newHub({ replayEvents: 10, replayBytes: 1_000, eventBytes: 500 });
    for (let number = 0; number < 100; number++) hub.publish({ data: 'a' });
    assert.equal(hub.heldEvents, 10);
    hub.publish({ data: 'b'.repeat(480) });
    hub.publish({ data: 'b'.repeat(480) });
    assert.deepEqual([hub.heldEvents, hub.heldBytes], [2, 996]);
    assert.throws(() => hub.publish({ data: 'b'.repeat(500) }), UnsendableError);
  });

  test('a slow consumer is dropped, not buffered, and resumes', async () => {
    const hub = newHub({ replayEvents: 4 });
    const slow = open(hub);
    const quick = open(hub);
    await slow.next();
    await quick.next();
    for (let number = 1; number <= 8; number++) {
      hub.publish({ data: `${number}` });
      assert.match((await quick.next()) ?? '', new RegExp(`data: ${number}\n`));
    }
    assert.equal(await slow.next(), undefined);
    assert.deepEqual([hub.streams, hub.droppedStreams, hub.heldEvents], [1, 1, 4]);
    const back = open(hub, { lastEventId: 'e.4' });
    await back.next();
    assert.equal(
      await back.next(),
      'id: e.5\ndata: 5\n\nid: e.6\ndata: 6\n\nid: e.7\ndata: 7\n\nid: e.8\ndata: 8\n\n',
    );
  });

  test('one write takes what fits, the next goes on', async () => {
    const hub = newHub({ gatherBytes: 20 });
    const stream = open(hub);
    for (const data of ['a', 'b', 'c']) hub.publish({ data });
    await stream.next();
    assert.equal(await stream.next(), 'id: e.1\ndata: a\n\nid: e.2\ndata: b\n\n');
    assert.equal(await stream.next(), 'id: e.3\ndata: c\n\n');
  });
});

/** Lets heartbeats go by until no stream is open: a client that left shows only when something is sent to it. */
async function untilNoneIsOpen(hub: EventHub, clock: SimulatedClock): Promise<void> {
  const patience = AbortSignal.timeout(10_000);
  while (hub.streams > 0) {
    if (patience.aborted) throw new Error('a stream stays open');
    await clock.advance(15_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function serve(handler: Handler, clock: SimulatedClock) {
  const host = testHost('http', { clock });
  const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
  return { host, server, [Symbol.asyncDispose]: () => server.close(0) };
}

suite('over a connection', () => {
  test('events go out and come in, and the client leaves', async () => {
    const hub = newHub();
    const clock = new SimulatedClock();
    await using running = await serve((request) => eventStream({ request, clock, events: hub }), clock);
    const client = createHttpClient({ network: running.host.network, clock });
    const url = `http://127.0.0.1:${running.server.endpoint.port}/`;
    const response = await client.request({ url });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const events = readEvents(response.body);
    const first = events.next();
    hub.publish({ data: 'é\n2', event: 'x' });
    assert.deepEqual((await first).value, { kind: 'event', type: 'x', data: 'é\n2', lastEventId: 'e.1' });
    await events.return();
    await untilNoneIsOpen(hub, clock);
    const head = await client.request({ url, method: 'HEAD' });
    assert.equal(head.status, 200);
    await untilNoneIsOpen(hub, clock);
    await client.close();
  });

  test('one that does not read is dropped while others are served', async () => {
    const hub = newHub({ replayEvents: 16 });
    const clock = new SimulatedClock();
    await using running = await serve((request) => eventStream({ request, clock, events: hub }), clock);
    const slow = await Peer.connect(running.host.network, running.server.endpoint);
    slow.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await slow.untilText('\r\n\r\n');
    slow.connection.pause();
    const data = 'a'.repeat(60_000);
    // More than any socket buffers take, so that the stream falls behind; nothing of it is held here.
    for (let number = 0; number < 300; number++) {
      hub.publish({ data });
      assert.ok(hub.heldBytes <= 1_048_576);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const quick = await Peer.connect(running.host.network, running.server.endpoint);
    quick.send('GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: e.299\r\n\r\n');
    await quick.untilText('id: e.300\n');
    slow.connection.resume();
    // The last chunk: the response ends whole, and the connection may serve the next request.
    await slow.until((received) => received.subarray(-5).toString('latin1') === '0\r\n\r\n');
    assert.equal(hub.droppedStreams, 1);
    assert.ok(!slow.received.includes('id: e.300\n'));
    slow.close();
    quick.close();
    await untilNoneIsOpen(hub, clock);
  });

  test('an event that is too large ends the reading', async () => {
    const chunk = Buffer.from(`data: ${'a'.repeat(70_000)}\n\n`);
    const events = readEvents(
      (async function* () {
        yield chunk;
      })(),
    );
    await assert.rejects(events.next(), { status: 502 });
  });
});
