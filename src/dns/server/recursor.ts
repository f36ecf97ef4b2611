/**
 * Runs resolutions: carries what they ask to other servers and what is heard back to them.
 *
 * The same question from many clients is one resolution, and the same question to the same server is one
 * exchange. The second matters for safety: with many equal questions in flight, a forger's guess would have as
 * many chances to fit (the birthday attack of RFC 5452 section 5).
 */
import { messageOf } from '../../core/errors.ts';
import type { World } from '../../core/lifecycle.ts';
import type { Endpoint } from '../../core/net/network.ts';
import type { Log } from '../../core/observe/types.ts';
import { type Asked, askServer } from '../client/ask-server.ts';
import { type Answer, bareAnswer } from '../engine/answer.ts';
import type { ZoneAnswer } from '../engine/authority.ts';
import { AnswerCache } from '../engine/resolver/cache.ts';
import { Delegations } from '../engine/resolver/delegations.ts';
import { type Ask, type Heard, Resolution, type ResolverState } from '../engine/resolver/resolution.ts';
import { ServerMemory, serverKey } from '../engine/resolver/servers.ts';
import type { DnsLimits } from '../limits.ts';
import type { DnsMetrics } from '../metrics.ts';
import { addressFromText } from '../wire/address.ts';
import { EXTENDED_ERROR, RCODE } from '../wire/codes.ts';
import { canonical, type Name } from '../wire/name.ts';
import type { CheckedOptions, DnsOptions } from './options.ts';

export interface RecursorParts {
  readonly options: DnsOptions;
  readonly checked: CheckedOptions;
  readonly world: Pick<World, 'clock' | 'network' | 'random'>;
  readonly metrics: DnsMetrics;
  readonly log: Log;
  /** Where we listen ourselves: never asked, or a question would go round for ever. */
  ownEndpoints(): readonly Endpoint[];
  answerLocally(name: Name, type: number): ZoneAnswer | undefined;
}

/** `how` tells a reader of the log where the answer came from. */
export type Answered = (answer: Answer, how: string) => void;

export class Recursor {
  readonly #parts: RecursorParts;
  readonly #limits: DnsLimits;
  readonly #state: ResolverState;
  /** Who waits for each resolution under way. */
  readonly #waiting = new Map<string, Answered[]>();
  /** Who waits for each exchange under way. */
  readonly #exchanges = new Map<string, ((heard: Heard) => void)[]>();
  readonly #inFlight = new Map<string, number>();
  readonly #closed = new AbortController();

  constructor(parts: RecursorParts) {
    const { options, checked, world } = parts;
    this.#parts = parts;
    this.#limits = checked.limits;
    this.#state = {
      limits: checked.limits,
      random: world.random,
      cache: new AnswerCache(checked.limits),
      delegations: new Delegations(checked.limits.maxDelegations),
      servers: new ServerMemory(checked.limits, world.random),
      forward: checked.forward,
      rootHints: checked.rootHints,
      upstreamPort: options.upstreamPort,
      qnameMinimisation: options.qnameMinimisation,
      answerLocally: parts.answerLocally,
      mayAsk: (server) => this.#mayAsk(server),
    };
  }

  get cacheEntries(): number {
    return this.#state.cache.entries;
  }

  get cacheBytes(): number {
    return this.#state.cache.bytes;
  }

  /** Resolutions under way. */
  get resolutions(): number {
    return this.#waiting.size;
  }

  /** Calls `done` once, at once when the cache knows. @returns false when too many already wait for this answer */
  resolve(question: { readonly name: Name; readonly type: number }, done: Answered): boolean {
    const key = `${question.type} ${canonical(question.name)}`;
    const waiters = this.#waiting.get(key);
    if (waiters !== undefined) {
      if (waiters.length >= this.#limits.maxWaitersPerResolution) return false;
      this.#parts.metrics.coalesced.value += 1;
      waiters.push(done);
      return true;
    }
    if (this.#waiting.size >= this.#limits.maxResolutions) {
      done(
        bareAnswer(RCODE.SERVFAIL, {
          infoCode: EXTENDED_ERROR.OTHER,
          text: 'too many resolutions under way',
        }),
        'busy',
      );
      return true;
    }
    this.#waiting.set(key, [done]);
    this.#begin(key, question);
    return true;
  }

  flush(): void {
    this.#state.cache.clear();
    this.#state.delegations.clear();
    this.#state.servers.clear();
  }

  /** Ends all exchanges; resolutions under way end with SERVFAIL. */
  close(): void {
    this.#closed.abort();
  }

  #begin(key: string, question: { readonly name: Name; readonly type: number }): void {
    const resolution = new Resolution(this.#state, this.#parts.world.clock.monotonic());
    const steps = resolution.answer(question.name, question.type);
    const step = (heard: Heard): void => {
      const next = this.#step(steps, heard);
      if (next.done) this.#finish(key, next.value, resolution.asked);
      else if (this.#closed.signal.aborted) this.#finish(key, bareAnswer(RCODE.SERVFAIL), resolution.asked);
      else this.#carry(next.value, step);
    };
    // The first step takes no value: nothing was asked yet.
    step({ kind: 'timeout', nowMs: 0 });
  }

  /** A fault of ours ends this resolution, and nobody waits for it for ever. */
  #step(steps: Generator<Ask, Answer, Heard>, heard: Heard): IteratorResult<Ask, Answer> {
    try {
      return steps.next(heard);
    } catch (error) {
      this.#parts.log.error('a resolution met a fault of ours', { fault: messageOf(error) });
      return { done: true, value: bareAnswer(RCODE.SERVFAIL) };
    }
  }

  #finish(key: string, answer: Answer, asked: number): void {
    const { metrics } = this.#parts;
    (asked === 0 ? metrics.cacheHits : metrics.cacheMisses).value += 1;
    const waiters = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    const how = asked === 0 ? 'cache' : `${asked} asked`;
    for (const done of waiters) done(answer, how);
  }

  #carry(ask: Ask, heard: (heard: Heard) => void): void {
    const key = `${serverKey(ask.server)} ${ask.type} ${ask.recursionDesired} ${ask.edns} ${canonical(ask.name)}`;
    const waiting = this.#exchanges.get(key);
    if (waiting !== undefined) {
      waiting.push(heard);
      return;
    }
    const server = serverKey(ask.server);
    const inFlight = this.#inFlight.get(server) ?? 0;
    if (inFlight >= this.#limits.maxInFlightPerServer) {
      const nowMs = this.#parts.world.clock.monotonic();
      heard({ kind: 'failed', reason: 'has too many questions of ours to answer', nowMs });
      return;
    }
    this.#inFlight.set(server, inFlight + 1);
    this.#exchanges.set(key, [heard]);
    void this.#exchange(ask).then((result) => {
      const waiters = this.#exchanges.get(key) ?? [];
      this.#exchanges.delete(key);
      this.#leave(server);
      for (const waiter of waiters) waiter(result);
    });
  }

  #leave(server: string): void {
    const left = (this.#inFlight.get(server) ?? 1) - 1;
    if (left === 0) this.#inFlight.delete(server);
    else this.#inFlight.set(server, left);
  }

  async #exchange(ask: Ask): Promise<Heard> {
    const { metrics, options, world } = this.#parts;
    metrics.upstreamQueries.value += 1;
    const asked = await askServer(
      world,
      {
        server: ask.server,
        name: ask.name,
        type: ask.type,
        recursionDesired: ask.recursionDesired,
        edns: ask.edns,
        timeoutMs: ask.timeoutMs,
        caseRandomisation: options.caseRandomisation,
        maxMismatches: this.#limits.maxMismatches,
      },
      this.#closed.signal,
    );
    this.#count(asked);
    const nowMs = world.clock.monotonic();
    const { outcome } = asked;
    if (outcome.kind !== 'answer') return { ...outcome, nowMs };
    return { kind: 'answer', message: outcome.message, roundTripMs: outcome.roundTripMs, nowMs };
  }

  #count({ outcome, mismatches }: Asked): void {
    const { metrics } = this.#parts;
    metrics.upstreamMismatches.value += mismatches;
    if (outcome.kind === 'timeout') metrics.upstreamTimeouts.value += 1;
    else if (outcome.kind === 'failed') metrics.upstreamFailures.value += 1;
  }

  #mayAsk(server: Endpoint): boolean {
    const octets = addressFromText(server.address);
    if (octets === undefined || leadsNowhere(octets)) return false;
    return !this.#parts
      .ownEndpoints()
      .some((own) => own.port === server.port && sameHost(own.address, server.address, octets));
  }
}

/** 0.0.0.0/8 and :: mean this host (CVE-2026-50251); multicast and above are nobody's address. */
function leadsNowhere(octets: Buffer): boolean {
  if (octets.length === 4) return octets[0] === 0 || (octets[0] ?? 0) >= 224;
  return octets.every((octet) => octet === 0) || octets[0] === 0xff;
}

/** Listening on every address means being at each loopback address too. */
function sameHost(own: string, address: string, octets: Buffer): boolean {
  if (own === address) return true;
  const everywhere = own === '0.0.0.0' || own === '::';
  return everywhere && (octets.length === 4 ? octets[0] === 127 : address === '::1');
}
