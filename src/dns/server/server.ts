/**
 * The DNS server: one UDP socket and one TCP listener on the same port, and what becomes of a question.
 *
 *   octets ─▶ openQuery ─▶ a zone of ours? ─yes─▶ answerFromZone ─▶ closeQuery ─▶ octets
 *                              │ no, or it leads elsewhere
 *                              ▼
 *                     may this client recurse? ─yes─▶ Recursor ─▶ closeQuery ─▶ octets
 *                              │ no
 *                              ▼
 *                           REFUSED
 */
import { codeOf, messageOf } from '../../core/errors.ts';
import type { Health, Host, RunningService } from '../../core/lifecycle.ts';
import type { Connection, Endpoint, Listener, UdpSocket } from '../../core/net/network.ts';
import { type Answer, bareAnswer } from '../engine/answer.ts';
import { answerFromZone, type ZoneAnswer } from '../engine/authority.ts';
import { loadZone } from '../engine/load-zone.ts';
import { ZoneSet } from '../engine/zone.ts';
import { DnsError } from '../errors.ts';
import type { DnsLimits } from '../limits.ts';
import { DnsMetrics } from '../metrics.ts';
import { closeQuery, openQuery, type Query, type Transport } from '../session/query.ts';
import { type ReadyAnswer, ReadyAnswers } from '../session/ready-answers.ts';
import { inRanges, plainAddress } from '../wire/address.ts';
import { EXTENDED_ERROR, RCODE, rcodeName, typeName } from '../wire/codes.ts';
import { nameToText } from '../wire/name.ts';
import {
  type CheckedOptions,
  checkOptions,
  type DnsOptions,
  optionName,
  type ZoneSource,
} from './options.ts';
import { Recursor } from './recursor.ts';
import { Stream } from './stream.ts';

export interface Dns extends RunningService {
  /**
   * Begins to serve a zone, or serves a new version of it from the next question on.
   *
   * @throws ZoneError when the zone has a fault; the version before stays in service
   */
  loadZone(source: ZoneSource): Promise<void>;
  /** Stops serving a zone. @returns false when it was not served */
  removeZone(origin: string): boolean;
  /** Forgets every cached answer, delegation and server. */
  flushCache(): void;
}

/**
 * Starts the service: reads the zones, then opens both sockets.
 *
 * @throws ZoneError for a zone with a fault, DnsError `bad-option`, NetError `address-in-use` or `listen-failed`
 */
export async function startDns(options: DnsOptions, host: Host): Promise<Dns> {
  const checked = checkOptions(options);
  const server = new DnsServer(options, checked, host);
  for (const source of options.zones) await server.loadZone(source);
  await server.open();
  return server;
}

/** Ports whose owners answer anything with anything; a question from there is a forged one. */
const REFLECTING_PORTS: ReadonlySet<number> = new Set([0, 7, 13, 17, 19]);
/** How often a port free for TCP may turn out to be taken for UDP when any port will do. */
const BIND_ATTEMPTS = 10;

/** A question as it came, before anybody read it. */
interface Arrival {
  readonly bytes: Buffer;
  readonly transport: Transport;
  readonly mayRecurse: boolean;
  /** Wall clock and monotonic. */
  readonly startMs: number;
  readonly startedAt: number;
}

/** What an answer depends on besides the question: one letter, so that none can run into the question. */
function variantOf({ transport, mayRecurse }: Arrival): string {
  if (transport === 'udp') return mayRecurse ? 'U' : 'u';
  return mayRecurse ? 'T' : 't';
}

class DnsServer implements Dns {
  readonly name = 'dns';
  readonly #options: DnsOptions;
  readonly #checked: CheckedOptions;
  readonly #limits: DnsLimits;
  readonly #host: Host;
  readonly #metrics: DnsMetrics;
  readonly #zones = new ZoneSet();
  readonly #ready: ReadyAnswers;
  readonly #recursor: Recursor;
  readonly #streams = new Set<Stream>();
  #listener: Listener | undefined;
  #socket: UdpSocket | undefined;
  #unanswered = 0;
  #closing: Promise<void> | undefined;
  #whenAnswered: (() => void) | undefined;

  constructor(options: DnsOptions, checked: CheckedOptions, host: Host) {
    this.#options = options;
    this.#checked = checked;
    this.#limits = checked.limits;
    this.#host = host;
    this.#metrics = new DnsMetrics(host.observer.metrics);
    this.#ready = new ReadyAnswers(this.#limits.maxReadyBytes);
    this.#recursor = new Recursor({
      options,
      checked,
      world: host,
      log: host.observer.log,
      metrics: this.#metrics,
      ownEndpoints: () => Object.values(this.endpoints),
      answerLocally: (name, type) => this.#answerLocally(name, type),
    });
    this.#metrics.watch({
      cacheEntries: () => this.#recursor.cacheEntries,
      cacheBytes: () => this.#recursor.cacheBytes,
      resolutions: () => this.#recursor.resolutions,
      connections: () => this.#listener?.connectionCount ?? 0,
    });
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    return this.#listener === undefined ? {} : { main: this.#listener.endpoint };
  }

  health(): Health {
    if (this.#closing !== undefined) return { state: 'failed', reason: 'closed' };
    if (this.#recursor.resolutions >= this.#limits.maxResolutions) {
      return {
        state: 'degraded',
        reason: `${this.#recursor.resolutions} resolutions under way, no more are begun`,
      };
    }
    return { state: 'ok' };
  }

  async loadZone(source: ZoneSource): Promise<void> {
    const origin = optionName('zones', source.origin);
    const text = 'text' in source ? source.text : await this.#readZone(source.path);
    const zone = loadZone(origin, text, this.#limits.maxZoneErrors);
    this.#zones.put(zone);
    this.#forget();
    this.#host.observer.log.info('zone loaded', {
      zone: nameToText(origin),
      serial: zone.serial,
      records: zone.recordCount,
    });
  }

  removeZone(origin: string): boolean {
    const removed = this.#zones.remove(optionName('zones', origin));
    if (removed) this.#forget();
    return removed;
  }

  flushCache(): void {
    this.#recursor.flush();
  }

  /** What was said may be wrong now: by us, and by others about names that are ours now. */
  #forget(): void {
    this.#ready.clear();
    this.#recursor.flush();
  }

  async #readZone(path: string): Promise<Buffer> {
    const { maxZoneBytes } = this.#limits;
    try {
      const file = await this.#host.files.open(path, 'read');
      try {
        const size = file.size();
        if (size > maxZoneBytes)
          throw new DnsError('bad-option', `zone file ${path} has more than ${maxZoneBytes} octets`);
        const octets = Buffer.alloc(size);
        await file.read(0, octets);
        return octets;
      } finally {
        await file.close();
      }
    } catch (cause) {
      if (cause instanceof DnsError) throw cause;
      throw new DnsError('bad-option', `zone file ${path} cannot be read: ${messageOf(cause)}`, cause);
    }
  }

  // ── sockets ───────────────────────────────────────────────────────────────────────────────────────────

  /** Binds TCP and UDP to one port. */
  async open(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const listener = await this.#listen();
      try {
        this.#socket = await this.#host.network.udp({
          host: this.#options.host,
          port: listener.endpoint.port,
          receive: (bytes, from) => this.#datagram(bytes, from),
        });
        this.#listener = listener;
        return;
      } catch (error) {
        await listener.close(0);
        const again =
          this.#options.port === 0 && codeOf(error) === 'address-in-use' && attempt < BIND_ATTEMPTS;
        if (!again) throw error;
      }
    }
  }

  #listen(): Promise<Listener> {
    const { maxConnections, firstByteTimeoutMs, idleTimeoutMs, maxBufferedBytes, closeTimeoutMs } =
      this.#limits;
    return this.#host.network.listen(
      {
        host: this.#options.host,
        port: this.#options.port,
        limits: { maxConnections, firstByteTimeoutMs, idleTimeoutMs, maxBufferedBytes, closeTimeoutMs },
      },
      (connection) => this.#accept(connection),
    );
  }

  #datagram(bytes: Buffer, from: Endpoint): void {
    if (this.#closing !== undefined) return;
    if (REFLECTING_PORTS.has(from.port)) {
      this.#metrics.dropped.value += 1;
      return;
    }
    this.#answer(bytes, 'udp', from, (reply) => {
      if (reply !== undefined) this.#socket?.send(reply, from);
    });
  }

  #accept(connection: Connection): void {
    const stream = new Stream(connection, this.#limits, this.#host.clock, (bytes, done) =>
      this.#answer(bytes, 'tcp', connection.remote, done),
    );
    this.#streams.add(stream);
    stream.start(() => this.#streams.delete(stream));
  }

  // ── questions ─────────────────────────────────────────────────────────────────────────────────────────

  /** Calls `done` once: at once for what we know, later for what others must be asked. A fault of ours costs
   * this one question its answer, and nobody else. */
  #answer(
    bytes: Buffer,
    transport: Transport,
    from: Endpoint,
    done: (reply: Buffer | undefined) => void,
  ): void {
    let open = true;
    const once = (reply: Buffer | undefined): void => {
      if (open) done(reply);
      open = false;
    };
    try {
      this.#consider(bytes, transport, from, once);
    } catch (error) {
      this.#host.observer.log.error('a question met a fault of ours', {
        fault: messageOf(error),
        question: bytes.toString('hex'),
      });
      once(undefined);
    }
  }

  #consider(
    bytes: Buffer,
    transport: Transport,
    from: Endpoint,
    done: (reply: Buffer | undefined) => void,
  ): void {
    const { clock } = this.#host;
    const arrival: Arrival = {
      bytes,
      transport,
      mayRecurse: this.#mayRecurse(from),
      startMs: clock.now(),
      startedAt: clock.monotonic(),
    };
    this.#metrics.query(transport);
    const ready = this.#ready.find(bytes, variantOf(arrival));
    if (ready !== undefined) {
      this.#metrics.authoritative.value += 1;
      this.#record(arrival, ready, 'zone');
      done(ready.bytes);
      return;
    }
    const opened = openQuery(bytes, transport);
    if (opened.kind === 'drop') {
      this.#metrics.dropped.value += 1;
      done(undefined);
    } else if (opened.kind === 'reply') {
      this.#metrics.response(rcodeName(opened.rcode));
      done(opened.bytes);
    } else {
      this.#answerQuery(arrival, opened.query, done);
    }
  }

  #answerQuery(arrival: Arrival, query: Query, done: (reply: Buffer | undefined) => void): void {
    const finish = (answer: Answer, detail: string): ReadyAnswer => {
      const sent = this.#close(query, answer, arrival);
      this.#record(arrival, sent, detail);
      done(sent.bytes);
      return sent;
    };
    const { name, type } = query.question;
    const { mayRecurse } = arrival;
    const local = this.#answerLocally(name, type);
    const complete = local !== undefined && local.leftAt === undefined && local.delegatedAt === undefined;
    if (complete || (local !== undefined && !(mayRecurse && query.message.recursionDesired))) {
      this.#metrics.authoritative.value += 1;
      this.#ready.keep(arrival.bytes, variantOf(arrival), finish(local, 'zone'));
    } else if (!mayRecurse) {
      finish(this.#refusal(), 'refused');
    } else if (!query.message.recursionDesired) {
      // Telling what the cache holds would tell what other clients asked.
      const text = 'recursion was not asked for';
      finish(bareAnswer(RCODE.REFUSED, { infoCode: EXTENDED_ERROR.NOT_AUTHORITATIVE, text }), 'refused');
    } else {
      this.#recurse(query, finish, done);
    }
  }

  #close(query: Query, answer: Answer, { mayRecurse }: Arrival): ReadyAnswer {
    const { name, type } = query.question;
    const text = nameToText(name);
    const bytes = closeQuery(query, answer, mayRecurse);
    return {
      bytes,
      operation: `${typeName(type)} ${text === '.' ? text : text.slice(0, -1)}`,
      rcode: rcodeName(answer.rcode),
      truncated: ((bytes[2] ?? 0) & 0x02) !== 0,
    };
  }

  #recurse(
    query: Query,
    finish: (answer: Answer, detail: string) => unknown,
    done: (reply: undefined) => void,
  ): void {
    this.#unanswered += 1;
    const begun = this.#recursor.resolve(query.question, (answer, how) => {
      finish(answer, how);
      this.#oneAnswered();
    });
    if (begun) return;
    this.#metrics.dropped.value += 1;
    done(undefined);
    this.#oneAnswered();
  }

  #answerLocally(name: Query['question']['name'], type: number): ZoneAnswer | undefined {
    const zone = this.#zones.find(name, type);
    return zone === undefined ? undefined : answerFromZone(zone, name, type, this.#limits.maxCnameChain);
  }

  #mayRecurse(from: Endpoint): boolean {
    if (!this.#options.recursion) return false;
    const address = plainAddress(from.address);
    return address !== undefined && inRanges(address, this.#checked.allowRecursion);
  }

  #refusal(): Answer {
    return this.#options.recursion
      ? bareAnswer(RCODE.REFUSED, {
          infoCode: EXTENDED_ERROR.PROHIBITED,
          text: 'recursion is not allowed for this client',
        })
      : bareAnswer(RCODE.REFUSED, {
          infoCode: EXTENDED_ERROR.NOT_AUTHORITATIVE,
          text: 'no zone here has this name',
        });
  }

  #record({ transport, startMs, startedAt }: Arrival, sent: ReadyAnswer, detail: string): void {
    const durationMs = this.#host.clock.monotonic() - startedAt;
    this.#metrics.response(sent.rcode);
    this.#metrics.seconds.observe(durationMs / 1000);
    if (sent.truncated) this.#metrics.truncated.value += 1;
    this.#host.observer.span({
      operation: sent.operation,
      outcome: sent.rcode,
      startMs,
      durationMs,
      detail: `${transport}, ${detail}`,
    });
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────

  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closing ??= this.#shutDown(drainTimeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(drainTimeoutMs: number): Promise<void> {
    this.#listener?.stop();
    for (const stream of this.#streams) stream.finish();
    await this.#allAnswered(drainTimeoutMs);
    this.#recursor.close();
    await this.#allAnswered(this.#limits.closeTimeoutMs);
    for (const stream of this.#streams) stream.finish();
    await Promise.all([
      this.#socket?.close(),
      this.#listener?.close(Math.min(drainTimeoutMs, this.#limits.closeTimeoutMs)),
    ]);
  }

  async #allAnswered(timeoutMs: number): Promise<void> {
    if (this.#unanswered === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenAnswered = resolve;
    const timer = this.#host.clock.schedule(timeoutMs, resolve);
    await promise;
    timer.cancel();
  }

  #oneAnswered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#whenAnswered?.();
  }
}
