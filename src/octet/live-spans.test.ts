import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import { readEvents } from '../http/events/index.ts';
import { createHttpClient, Fields, type HttpResponse } from '../http/index.ts';
import { startAdmin } from './admin.ts';
import { LiveSpans } from './live-spans.ts';

const span = (operation: string) => ({ operation, outcome: 'OK', startMs: 1, durationMs: 2 });

function request(lastEventId?: string) {
  const gone = new AbortController();
  const fields = lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId] as const];
  return { gone, request: { headers: Fields.from(fields), signal: gone.signal } };
}

/** The pieces of a stream, as text, without the first, which opens it. */
async function opened({ body }: HttpResponse): Promise<() => Promise<string>> {
  const iterator = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await iterator.next()).value);
  await next();
  return next;
}

test('a listener of the admin address hears what was and what is, and resumes behind it', async () => {
  const host = testHost('admin');
  const { observatory } = host;
  const dns = observatory.observer('dns');
  dns.span(span('A before.test'));
  const admin = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    observatory,
    services: () => [],
    world: host,
    startedAtMs: 0,
    copyStates: async () => [],
    controlKey: 'key',
    token: '',
    httpLimits: {},
  });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => admin.close(0));
  await using client = createHttpClient(host);
  const url = `http://127.0.0.1:${admin.endpoint.port}/events`;
  const listen = async (headers: readonly (readonly [string, string])[] = []) => {
    const leave = new AbortController();
    const { body, headers: fields } = await client.request({ url, headers, signal: leave.signal });
    const events = readEvents(body)[Symbol.asyncIterator]();
    const next = async () => {
      const { value } = await events.next();
      if (value === undefined) throw new Error('the stream ended');
      return value.type === 'gap' ? value : { ...value, span: JSON.parse(value.data) as unknown };
    };
    return { next, leave: () => leave.abort(), fields };
  };
  const first = await listen();
  assert.equal(first.fields.get('content-type'), 'text/event-stream');
  assert.equal(first.fields.get('cache-control'), 'no-store, no-transform');
  const before = await first.next();
  assert.deepEqual(before, { ...before, span: { service: 'dns', ...span('A before.test') } });
  dns.span(span('A now.test'));
  observatory.observer('console').span(span('GET /data/overview'));
  dns.span(span('A then.test'));
  const now = await first.next();
  assert.match(now.data, /A now/);
  assert.match((await first.next()).data, /A then/, 'what the page itself causes is not told');
  first.leave();

  const again = await listen([['Last-Event-ID', now.lastEventId]]);
  assert.match((await again.next()).data, /A then/);
  again.leave();
  const lost = await listen([['Last-Event-ID', 'of-another-process.7']]);
  assert.equal((await lost.next()).type, 'gap');
  assert.match((await lost.next()).data, /A before/);
  lost.leave();
});

test('nothing is written for nobody, once the last listener has not come back', async () => {
  const clock = new SimulatedClock();
  const { observatory, random } = testHost('admin');
  const live = new LiveSpans({ observatory, clock, random });
  const dns = observatory.observer('dns');
  const first = request();
  const next = await opened(live.stream(first.request));
  dns.span(span('one'));
  const id = /^id: (\S+)/.exec(await next())?.[1] ?? '';
  first.gone.abort();

  await clock.advance(29_000);
  dns.span(span('two'));
  await clock.advance(29_000);
  dns.span(span('three'));
  const back = request(id);
  const resumed = await opened(live.stream(back.request));
  assert.match(await resumed(), /"two".*\n\n.*\n.*"three"/, 'nothing is lost in half a minute');
  back.gone.abort();

  dns.span(span('four'));
  await clock.advance(31_000);
  dns.span(span('five'));
  const late = await opened(live.stream(request(id).request));
  assert.match(await late(), /^event: gap/, 'the events were let go');
  assert.match(await late(), /"one"[\s\S]*"five"/, 'and the recent spans are told instead');
});

test('texts of a span are cut to what one event holds', async () => {
  const { observatory, random, clock } = testHost('admin');
  const live = new LiveSpans({ observatory, clock, random });
  const next = await opened(live.stream(request().request));
  observatory.observer('objects').span({ ...span('GetObject'), detail: '\x01'.repeat(100_000) });
  const piece = await next();
  const { detail } = JSON.parse(/^data: (.*)$/m.exec(piece)?.[1] ?? '') as { detail: string };
  assert.equal(detail, `${'\x01'.repeat(2_000)}…`);
});

test('the listeners are bounded', async () => {
  const { observatory, random, clock } = testHost('admin');
  const live = new LiveSpans({ observatory, clock, random });
  const requests = Array.from({ length: 64 }, () => request());
  for (const one of requests) live.stream(one.request);
  assert.throws(() => live.stream(request().request), { status: 503 });
  requests[0]?.gone.abort();
  live.stream(request().request);
});
