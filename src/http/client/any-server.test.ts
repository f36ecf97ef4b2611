/**
 * Whatever a server does, a request ends: in an answer or a typed error, in bounded time, with nothing left behind;
 * and what is not idempotent is sent once.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../core/net/network.ts';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpClientError } from '../errors.ts';
import { ScriptedServer } from '../testing/scripted-server.ts';
import { runOut, settle } from '../testing/virtual-time.ts';
import { createHttpClient } from './index.ts';

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok',
  'HTTP/1.0 200 OK\r\n\r\nok',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok',
  'garbage\r\n\r\n',
];

type Act =
  /** The first `cut` bytes of an answer; `split`: and then the others. */
  | { readonly kind: 'answer' | 'split'; readonly answer: number; readonly cut: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'end' | 'reset' | 'deaf' };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('answer' as const, 'answer' as const, 'split' as const),
      answer: fc.nat(ANSWERS.length - 1),
      cut: fc.oneof(fc.constant(1_000), fc.nat(80)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 900, 40_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'reset' as const, 'deaf' as const) }),
  },
);

/** A good answer, and then none: what makes a client think of a second try. */
const goodThenCut = fc
  .tuple(fc.nat(4), fc.constantFrom('end' as const, 'reset' as const))
  .map(([answer, kind]): Act[][] => [[{ kind: 'answer', answer, cut: 1_000 }], [{ kind }]]);

/** What one connection does, each time that bytes come. */
const plan = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.array(act, { maxLength: 3 }), { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: goodThenCut },
);

const wish = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  body: fc.constantFrom('none', 'short', 'long', 'stream'),
  expectContinue: fc.boolean(),
  abortAfterMs: fc.constantFrom(undefined, undefined, 0, 1, 500),
  readsBody: fc.constantFrom('all', 'none', 'some'),
});

type Wish = typeof wish extends fc.Arbitrary<infer Value> ? Value : never;

async function* stream(): AsyncGenerator<Buffer> {
  for (let count = 0; count < 5; count++) yield Buffer.alloc(50_000);
}

function bodyOf({ method, body }: Wish): { body?: string | Buffer | AsyncIterable<Uint8Array> } {
  if (method === 'GET' || body === 'none') return {};
  return { body: body === 'short' ? 'abc' : body === 'long' ? Buffer.alloc(400_000) : stream() };
}

async function perform(clock: SimulatedClock, connection: Connection, acts: readonly Act[]): Promise<void> {
  for (const step of acts) {
    switch (step.kind) {
      case 'answer':
        connection.write(ANSWERS[step.answer]!.slice(0, step.cut));
        break;
      case 'split':
        connection.write(ANSWERS[step.answer]!.slice(0, step.cut));
        await clock.sleep(1);
        connection.write(ANSWERS[step.answer]!.slice(step.cut));
        break;
      case 'wait':
        await clock.sleep(step.ms);
        break;
      case 'end':
        connection.end();
        break;
      case 'reset':
        connection.destroy();
        break;
      case 'deaf':
        connection.pause();
        break;
    }
  }
}

test('whatever the server does, each request ends and nothing is left', async () => {
  const property = fc.asyncProperty(
    fc.array(plan, { minLength: 1, maxLength: 4 }),
    fc.array(wish, { minLength: 1, maxLength: 6 }),
    fc.boolean(),
    async (plans, wishes, areTogether) => {
      const clock = new SimulatedClock();
      const network = createSimulatedNetwork({ clock });
      const turn = new Map<number, number>();
      const server = await ScriptedServer.start(network, (connection, index) => {
        const at = turn.get(index) ?? 0;
        turn.set(index, at + 1);
        const steps = plans[index % plans.length]!;
        void perform(clock, connection, steps[at % steps.length]!);
      });
      const client = createHttpClient({ clock, network, maxConnectionsPerOrigin: 2, queueTimeoutMs: 60_000 });
      const ask = async (wanted: Wish, index: number): Promise<void> => {
        const leave = new AbortController();
        if (wanted.abortAfterMs !== undefined) clock.schedule(wanted.abortAfterMs, () => leave.abort());
        try {
          const response = await client.request({
            url: `${server.url}/${index}`,
            method: wanted.method,
            ...bodyOf(wanted),
            expectContinue: wanted.expectContinue,
            signal: leave.signal,
            redirect: { follow: 2 },
            retryAfter: { count: 1, maxWaitMs: 2_000 },
          });
          if (wanted.readsBody === 'all') await response.body.bytes(1 << 20);
          else if (wanted.readsBody === 'none') response.body.discard();
          else for await (const _ of response.body) break;
        } catch (thrown) {
          assert.ok(thrown instanceof HttpClientError, String((thrown as Error).stack));
        }
      };
      if (areTogether)
        await settle(
          clock,
          Promise.all(wishes.map(ask)).then(() => undefined),
        );
      else for (const [index, wanted] of wishes.entries()) await settle(clock, ask(wanted, index), 600_000);
      for (const connection of server.connections) connection.resume();
      await runOut(clock, 300_000);
      const { connections, waiting, free } = client.counters;
      assert.deepEqual({ connections, waiting, free }, { connections: 0, waiting: 0, free: 0 });
      await client.close();
      await server[Symbol.asyncDispose]();
      await runOut(clock, 1_000);
      assert.equal(clock.pendingCount, 0, 'timers leak');
      const all = server.received.join('\n');
      for (const index of wishes.keys()) {
        const times = all.split(`POST /${index} HTTP/1.1\r\n`).length - 1;
        assert.ok(times <= 1, `POST ${index} was sent ${times} times`);
      }
    },
  );
  await fc.assert(property, { numRuns: 300 });
});
