/**
 * Carries one exchange over sockets: a datagram from a port of its own, then TCP where that is called for.
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import { codeOf, messageOf } from '../../core/errors.ts';
import type { World } from '../../core/lifecycle.ts';
import type { Connection, Endpoint, UdpSocket } from '../../core/net/network.ts';
import { Exchange, type ExchangeOptions, type Secrets } from '../session/exchange.ts';
import { frame, takeFrame } from '../wire/framing.ts';
import type { Message } from '../wire/message.ts';

export type AskWorld = Pick<World, 'clock' | 'network' | 'random'>;

export interface AskOptions extends Omit<ExchangeOptions, 'server'> {
  readonly server: Endpoint;
  /** Mix upper and lower case in the question, for a forger to guess. */
  readonly caseRandomisation: boolean;
  /** For each transport. */
  readonly timeoutMs: number;
  /** Default: UDP first, TCP when the answer is cut off. */
  readonly transport?: 'udp-then-tcp' | 'tcp';
}

export type Outcome =
  | {
      readonly kind: 'answer';
      readonly message: Message;
      readonly transport: 'udp' | 'tcp';
      readonly bytes: number;
      readonly roundTripMs: number;
    }
  | { readonly kind: 'timeout' }
  /** Unreachable, or not a DNS server. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Asked {
  readonly outcome: Outcome;
  /** Datagrams that came and did not answer. */
  readonly mismatches: number;
}

/** Ephemeral ports are drawn from here; below are the ports of well-known services. RFC 6056 section 3.2. */
const FIRST_PORT = 1_024;
const PORTS = 65_536 - FIRST_PORT;
const PORT_ATTEMPTS = 8;

/** Asks one server one question. Never rejects: whatever happens is an outcome. */
export async function askServer(world: AskWorld, options: AskOptions, signal?: AbortSignal): Promise<Asked> {
  const exchange = new Exchange(options, drawSecrets(world, options));
  const startedAt = world.clock.monotonic();
  const finished = (outcome: Outcome): Asked => ({ outcome, mismatches: exchange.mismatches });
  const overUdp =
    options.transport === 'tcp' ? ('use-tcp' as const) : await askOverUdp(world, options, exchange, signal);
  if (overUdp !== 'use-tcp') return finished(timed(overUdp, world, startedAt));
  return finished(timed(await askOverTcp(world, options, exchange, signal), world, startedAt));
}

function drawSecrets({ random }: AskWorld, { name, caseRandomisation }: AskOptions): Secrets {
  const id = random.below(0x1_0000);
  return caseRandomisation ? { id, letterCase: random.bytes(Math.ceil(name.length / 8)) } : { id };
}

function timed(outcome: Outcome, world: AskWorld, startedAt: number): Outcome {
  return outcome.kind === 'answer'
    ? { ...outcome, roundTripMs: world.clock.monotonic() - startedAt }
    : outcome;
}

async function askOverUdp(
  world: AskWorld,
  options: AskOptions,
  exchange: Exchange,
  signal: AbortSignal | undefined,
): Promise<Outcome | 'use-tcp'> {
  const { promise, resolve } = Promise.withResolvers<Outcome | 'use-tcp'>();
  const receive = (bytes: Buffer, from: Endpoint): void => {
    const received = exchange.datagram(bytes, from);
    if (received.kind === 'answer') {
      resolve({
        kind: 'answer',
        message: received.message,
        transport: 'udp',
        bytes: bytes.length,
        roundTripMs: 0,
      });
    } else if (received.kind === 'use-tcp') resolve('use-tcp');
    else if (received.kind === 'garbage')
      resolve({ kind: 'failed', reason: `sent no DNS message: ${received.problem}` });
  };
  let socket: UdpSocket;
  try {
    socket = await openRandomPort(world, options.server, receive);
  } catch (error) {
    return { kind: 'failed', reason: messageOf(error) };
  }
  const giveUp = (): void => resolve({ kind: 'failed', reason: 'was not waited for' });
  const timer = world.clock.schedule(options.timeoutMs, () => resolve({ kind: 'timeout' }));
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted) giveUp();
  else socket.send(exchange.query, options.server);
  const outcome = await promise;
  timer.cancel();
  signal?.removeEventListener('abort', giveUp);
  await socket.close();
  return outcome;
}

/** A socket on a port drawn anew for this question: half of what a forger has to guess. RFC 5452 section 9.2. */
async function openRandomPort(
  world: AskWorld,
  server: Endpoint,
  receive: (bytes: Buffer, from: Endpoint) => void,
): Promise<UdpSocket> {
  const host = sourceFor(server.address);
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    try {
      return await world.network.udp({ host, port: FIRST_PORT + world.random.below(PORTS), receive });
    } catch (error) {
      if (codeOf(error) !== 'address-in-use') throw error;
    }
  }
  return world.network.udp({ host, port: 0, receive });
}

/** A server on this machine is asked from loopback, so that nobody else can even reach the socket. */
function sourceFor(address: string): string {
  if (address.includes(':')) return address === '::1' ? '::1' : '::';
  return address.startsWith('127.') ? '127.0.0.1' : '0.0.0.0';
}

async function askOverTcp(
  world: AskWorld,
  options: AskOptions,
  exchange: Exchange,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const { address, port } = options.server;
  const deadlineAt = world.clock.monotonic() + options.timeoutMs;
  let connection: Connection;
  try {
    connection = await world.network.connect({
      host: address,
      port,
      timeoutMs: options.timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    return codeOf(error) === 'connect-timeout'
      ? { kind: 'timeout' }
      : { kind: 'failed', reason: messageOf(error) };
  }
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const stream = new ReceiveBuffer();
  connection.attach({
    data(chunk) {
      stream.append(chunk);
      const bytes = takeFrame(stream);
      if (bytes !== undefined) resolve(streamedOutcome(exchange, bytes));
    },
    close: () => resolve({ kind: 'failed', reason: 'closed the connection without an answer' }),
  });
  const timer = world.clock.schedule(deadlineAt - world.clock.monotonic(), () =>
    resolve({ kind: 'timeout' }),
  );
  const giveUp = (): void => resolve({ kind: 'failed', reason: 'was not waited for' });
  signal?.addEventListener('abort', giveUp, { once: true });
  connection.write(frame([exchange.query]));
  const outcome = await promise;
  timer.cancel();
  signal?.removeEventListener('abort', giveUp);
  connection.destroy();
  return outcome;
}

function streamedOutcome(exchange: Exchange, bytes: Buffer): Outcome {
  const received = exchange.streamed(bytes);
  if (received.kind === 'answer') {
    return {
      kind: 'answer',
      message: received.message,
      transport: 'tcp',
      bytes: bytes.length,
      roundTripMs: 0,
    };
  }
  const reason = received.kind === 'garbage' ? received.problem : 'not the answer to what was asked';
  return { kind: 'failed', reason: `sent no DNS message: ${reason}` };
}
