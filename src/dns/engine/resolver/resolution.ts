/**
 * One resolution: from a question to its answer, asking whom must be asked. RFC 1034 section 5.3.3.
 *
 * It is a generator: it yields what to send and is resumed with what was heard. So the algorithm stands here
 * from top to bottom, without sockets, timers or callbacks, and a test plays the rest of the internet with
 * plain function calls.
 *
 *   answer ── for each alias ──▶ find ─┬─ a zone of ours
 *                                      ├─ the cache
 *                                      └─ iterate ── for each zone cut ──▶ askZone ── for each server ──▶ yield Ask
 *                                                                             └─ addresses of servers: find, deeper
 *
 * One budget travels with the client's question through aliases, referrals and look-ups of name servers, and is
 * never refilled: that bounds NXNSAttack, TsuNAME, CAMP and every other way of making one question into many.
 */
import type { Random } from '../../../core/random/random.ts';
import { type DnsLimits, MAX_ADDRESSES_PER_ZONE, ROUNDS_PER_ZONE } from '../../limits.ts';
import { addressToText } from '../../wire/address.ts';
import { CLASS, EXTENDED_ERROR, RCODE, rcodeName, TYPE, typeName } from '../../wire/codes.ts';
import type { ExtendedError } from '../../wire/edns.ts';
import type { Message } from '../../wire/message.ts';
import { canonical, isAtOrBelow, type Name, nameToText, ROOT } from '../../wire/name.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { type Answer, bareAnswer } from '../answer.ts';
import type { ZoneAnswer } from '../authority.ts';
import { aliasTarget } from '../zone.ts';
import type { AnswerCache } from './cache.ts';
import type { Delegation, Delegations, ServerAddress } from './delegations.ts';
import { Minimiser } from './minimiser.ts';
import { glueFor, type Reading, readAnswer } from './reading.ts';
import type { ServerMemory } from './servers.ts';

/** Something to send. The resolution waits until it is resumed with what became of it. */
export interface Ask {
  readonly server: ServerAddress;
  readonly name: Name;
  readonly type: number;
  readonly recursionDesired: boolean;
  readonly edns: boolean;
  readonly timeoutMs: number;
}

/** `nowMs` is the clock's monotonic time at which it was heard. */
export type Heard = { readonly nowMs: number } & (
  | { readonly kind: 'answer'; readonly message: Message; readonly roundTripMs: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly reason: string }
);

/** What resolutions share. */
export interface ResolverState {
  readonly limits: DnsLimits;
  readonly random: Random;
  readonly cache: AnswerCache;
  readonly delegations: Delegations;
  readonly servers: ServerMemory;
  /** Servers to forward to, by canonical name of the domain. */
  readonly forward: ReadonlyMap<Name, readonly ServerAddress[]>;
  readonly rootHints: readonly ServerAddress[];
  readonly upstreamPort: number;
  readonly qnameMinimisation: boolean;
  /** What our own zones say; undefined for names of others. */
  answerLocally(name: Name, type: number): ZoneAnswer | undefined;
  /** False for addresses that are never asked: our own, and those that lead nowhere. */
  mayAsk(server: ServerAddress): boolean;
}

type Asking<Result> = Generator<Ask, Result, Heard>;

/** What is known of one name, aliases not followed. */
type Finding =
  | { readonly kind: 'data'; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'alias'; readonly records: readonly ResourceRecord[]; readonly target: Name }
  | { readonly kind: 'no-data' | 'no-name'; readonly soa: ResourceRecord | undefined }
  | { readonly kind: 'failure'; readonly error: ExtendedError };

export class Resolution {
  readonly #state: ResolverState;
  readonly #limits: DnsLimits;
  readonly #deadlineMs: number;
  #nowMs: number;
  #asked = 0;
  #depth = 0;
  /** Look-ups begun and not ended, to meet none of them again inside itself. */
  readonly #underWay = new Set<string>();

  constructor(state: ResolverState, nowMs: number) {
    this.#state = state;
    this.#limits = state.limits;
    this.#nowMs = nowMs;
    this.#deadlineMs = nowMs + state.limits.resolutionTimeoutMs;
  }

  /** How many questions other servers were asked so far. */
  get asked(): number {
    return this.#asked;
  }

  /** Resolves a question of class IN. */
  *answer(name: Name, type: number): Asking<Answer> {
    if (type === TYPE.ANY) return yield* this.#answerAny(name);
    const chain: ResourceRecord[] = [];
    let at = name;
    for (let links = 0; links <= this.#limits.maxCnameChain; links += 1) {
      const found = yield* this.#find(at, type);
      switch (found.kind) {
        case 'data':
          return { ...bareAnswer(RCODE.NOERROR), answers: [...chain, ...found.records] };
        case 'alias':
          chain.push(...found.records);
          at = found.target;
          break;
        case 'failure':
          return bareAnswer(RCODE.SERVFAIL, found.error);
        default:
          return {
            ...bareAnswer(found.kind === 'no-name' ? RCODE.NXDOMAIN : RCODE.NOERROR),
            answers: chain,
            authorities: found.soa === undefined ? [] : [found.soa],
          };
      }
    }
    return bareAnswer(
      RCODE.SERVFAIL,
      failure(EXTENDED_ERROR.OTHER, `more than ${this.#limits.maxCnameChain} aliases in a row`).error,
    );
  }

  /** RFC 8482 section 4.2: nobody needs everything; a HINFO record says that the name exists. */
  *#answerAny(name: Name): Asking<Answer> {
    const answer = yield* this.answer(name, TYPE.A);
    if (answer.rcode !== RCODE.NOERROR) return answer;
    const rdata = Buffer.from('\x07RFC8482\0', 'latin1');
    return {
      ...bareAnswer(RCODE.NOERROR),
      answers: [{ name, type: TYPE.HINFO, class: CLASS.IN, ttlSeconds: 3_600, rdata }],
    };
  }

  // ── one name ──────────────────────────────────────────────────────────────────────────────────────────

  *#find(name: Name, type: number): Asking<Finding> {
    const local = this.#state.answerLocally(name, type);
    if (local !== undefined && local.delegatedAt === undefined) return findingOf(local);
    const cached = this.#state.cache.lookup(name, type, this.#nowMs, this.#forwarder(canonical(name))?.zone);
    if (cached?.kind === 'alias') return aliasFinding(cached.records);
    if (cached !== undefined) return cached;
    const key = `${type} ${canonical(name)}`;
    if (this.#underWay.has(key))
      return failure(EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, `${describe(name, type)} depends on itself`);
    if (this.#depth >= this.#limits.maxLookupDepth)
      return failure(EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, 'name servers of name servers, too deep');
    this.#underWay.add(key);
    this.#depth += 1;
    const found = yield* this.#iterate(name, type, local);
    this.#depth -= 1;
    this.#underWay.delete(key);
    if (found.kind === 'failure') this.#state.cache.putFailure(name, type, found.error, this.#nowMs);
    return found;
  }

  /** Follows referrals down from the closest zone cut known. */
  *#iterate(name: Name, type: number, local: ZoneAnswer | undefined): Asking<Finding> {
    let cut = yield* this.#closestCut(name, local);
    let minimiser = new Minimiser(name, type, cut, {
      enabled: this.#state.qnameMinimisation,
      maxSteps: this.#limits.maxMinimisedSteps,
    });
    for (let referrals = 0; referrals <= this.#limits.maxReferrals; ) {
      if (cut === undefined)
        return failure(
          EXTENDED_ERROR.NO_REACHABLE_AUTHORITY,
          'there are no servers to ask: no forwarder and no root hints',
        );
      const shown = minimiser.shown;
      const reading = yield* this.#askZone(cut, shown.name, shown.type);
      if (reading.kind === 'referral') {
        referrals += 1;
        cut = this.#learn(reading);
        minimiser = minimiser.below(cut);
      } else if (shown.whole) {
        return this.#conclude(reading, name, type, cut);
      } else {
        minimiser.step(reading.kind);
      }
    }
    return failure(EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, `more than ${this.#limits.maxReferrals} referrals`);
  }

  /** Keeps what was read and says what it means for the name. */
  #conclude(reading: Reading, name: Name, type: number, cut: Delegation): Finding {
    const { cache } = this.#state;
    if (reading.kind === 'useless') {
      const reason = this.#exhausted ?? `servers of ${nameToText(cut.zone)}: ${reading.reason}`;
      return failure(EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, reason);
    }
    if (reading.kind === 'referral') return failure(EXTENDED_ERROR.INVALID_DATA, 'an unexpected referral');
    for (const alias of reading.aliases) cache.putData([alias], this.#nowMs);
    if (reading.kind === 'data') cache.putData(reading.records, this.#nowMs);
    else if (reading.kind !== 'alias' && reading.soa !== undefined) {
      cache.putNegative(reading.kind, reading.name, type, reading.soa, this.#nowMs);
    }
    if (reading.aliases.length > 0) return chainFinding(name, reading.aliases);
    if (reading.kind === 'data') return { kind: 'data', records: reading.records };
    if (reading.kind === 'alias')
      return failure(EXTENDED_ERROR.INVALID_DATA, 'an answer outside the zone asked');
    return { kind: reading.kind, soa: reading.soa };
  }

  // ── zone cuts ─────────────────────────────────────────────────────────────────────────────────────────

  /** Where to begin: a forwarder, a delegation in a zone of ours, one learnt before, or the root. */
  *#closestCut(name: Name, local: ZoneAnswer | undefined): Asking<Delegation | undefined> {
    const wanted = canonical(name);
    const candidates = [
      this.#forwarder(wanted),
      local === undefined ? undefined : this.#localDelegation(local),
      this.#state.delegations.closest(wanted, this.#nowMs),
    ].filter((candidate) => candidate !== undefined);
    // The deepest counts; among equals the first: what was configured stands above what was heard.
    const [best] = candidates.sort((a, b) => b.zone.length - a.zone.length);
    return best ?? (yield* this.#prime());
  }

  #forwarder(name: Name): Delegation | undefined {
    let best: Delegation | undefined;
    for (const [zone, servers] of this.#state.forward) {
      const closer = isAtOrBelow(name, zone) && zone.length > (best?.zone.length ?? 0);
      if (closer) best = { zone, servers, nameServers: [], recursionDesired: true };
    }
    return best;
  }

  /** Whether servers of `cut` are the ones that would be asked about `name` (canonical). */
  #covers(cut: Delegation, name: Name): boolean {
    if (!isAtOrBelow(name, cut.zone)) return false;
    if (this.#state.answerLocally(name, TYPE.SOA) !== undefined) return false;
    return (this.#forwarder(name)?.zone.length ?? 0) <= cut.zone.length;
  }

  #localDelegation(local: ZoneAnswer): Delegation | undefined {
    if (local.delegatedAt === undefined) return undefined;
    const message = { authorities: local.authorities, additionals: local.additionals };
    const nameServers = message.authorities.map((record) => targetName(record));
    return this.#delegation(local.delegatedAt, nameServers, message.additionals);
  }

  /** Asks the hints who the root servers are, and then those. RFC 8109. */
  *#prime(): Asking<Delegation | undefined> {
    const hints: Delegation = {
      zone: ROOT,
      servers: this.#state.rootHints,
      nameServers: [],
      recursionDesired: false,
    };
    if (hints.servers.length === 0) return undefined;
    const primed = yield* this.#askServers(hints, ROOT, TYPE.NS);
    if (primed.reading.kind !== 'data' || primed.message === undefined) return hints;
    const nameServers = primed.reading.records.map(targetName);
    const root = this.#delegation(ROOT, nameServers, glueFor(primed.message, nameServers, ROOT));
    if (root.servers.length === 0) return hints;
    this.#state.delegations.put(
      root,
      this.#delegationTtl(primed.reading.records[0]?.ttlSeconds ?? 0),
      this.#nowMs,
    );
    return root;
  }

  #learn(referral: Extract<Reading, { kind: 'referral' }>): Delegation {
    const delegation = this.#delegation(referral.zone, referral.nameServers, referral.glue);
    this.#state.delegations.put(delegation, this.#delegationTtl(referral.ttlSeconds), this.#nowMs);
    return delegation;
  }

  #delegationTtl(ttlSeconds: number): number {
    return Math.min(ttlSeconds, this.#limits.maxCacheTtlSeconds);
  }

  /** IPv6 addresses are taken only where there is no IPv4 one: reaching them is less certain. */
  #delegation(zone: Name, nameServers: readonly Name[], glue: readonly ResourceRecord[]): Delegation {
    const considered = nameServers.slice(0, this.#limits.maxNameServers);
    const names = new Set(considered.map(canonical));
    const usable = glue.filter((record) => names.has(canonical(record.name)));
    const ipv4 = this.#endpoints(usable.filter((record) => record.type === TYPE.A));
    const servers = ipv4.length > 0 ? ipv4 : this.#endpoints(usable);
    const withGlue = new Set(usable.map((record) => canonical(record.name)));
    const others = considered.filter((server) => !withGlue.has(canonical(server)));
    return { zone, servers, nameServers: others, recursionDesired: false };
  }

  #endpoints(addresses: readonly ResourceRecord[]): ServerAddress[] {
    return addresses
      .map((record) => ({ address: addressToText(record.rdata), port: this.#state.upstreamPort }))
      .slice(0, MAX_ADDRESSES_PER_ZONE);
  }

  // ── servers ───────────────────────────────────────────────────────────────────────────────────────────

  /** Asks the servers of a zone whose addresses are known, and when they do not help, looks up the others. */
  *#askZone(cut: Delegation, name: Name, type: number): Asking<Reading> {
    let { reading } = yield* this.#askServers(cut, name, type);
    const unknown = this.#shuffled(cut.nameServers).slice(0, this.#limits.maxGlueLookups);
    for (const server of unknown) {
      if (reading.kind !== 'useless' || this.#exhausted !== undefined) return reading;
      const servers = yield* this.#addressesOf(server);
      if (servers.length > 0) ({ reading } = yield* this.#askServers({ ...cut, servers }, name, type));
    }
    return reading;
  }

  *#addressesOf(server: Name): Asking<ServerAddress[]> {
    for (const type of [TYPE.A, TYPE.AAAA]) {
      const found = yield* this.#find(server, type);
      // An alias is not followed: a name server must not be one (RFC 2181 section 10.3).
      if (found.kind === 'data') return this.#endpoints(found.records);
      if (found.kind !== 'no-data') return [];
    }
    return [];
  }

  /** Asks one server after the other until one helps. Silent ones are asked a second time. */
  *#askServers(cut: Delegation, name: Name, type: number): Asking<{ reading: Reading; message?: Message }> {
    let candidates = this.#state.servers.order(
      cut.servers.filter((server) => this.#state.mayAsk(server)),
      this.#nowMs,
    );
    const bailiwick = { zone: cut.zone, covers: (other: Name) => this.#covers(cut, other) };
    let reason = 'no address of a server is known';
    for (let round = 0; round < ROUNDS_PER_ZONE && candidates.length > 0; round += 1) {
      const silent: ServerAddress[] = [];
      for (const server of candidates) {
        const heard = yield* this.#askServer(server, cut.recursionDesired, name, type);
        if (heard === 'exhausted') return { reading: { kind: 'useless', reason: this.#exhausted ?? reason } };
        if (heard.kind === 'timeout') silent.push(server);
        if (heard.kind === 'answer') {
          const reading = readAnswer(heard.message, name, type, bailiwick, this.#limits.maxCnameChain);
          if (reading.kind !== 'useless') return { reading, message: heard.message };
          reason = `${server.address} answers ${heard.message.rcode === RCODE.NOERROR ? reading.reason : rcodeName(heard.message.rcode)}`;
        } else {
          reason = `${server.address} ${heard.kind === 'timeout' ? 'does not answer' : heard.reason}`;
        }
      }
      candidates = silent;
    }
    return { reading: { kind: 'useless', reason } };
  }

  *#askServer(
    server: ServerAddress,
    recursionDesired: boolean,
    name: Name,
    type: number,
  ): Asking<Heard | 'exhausted'> {
    const { servers } = this.#state;
    for (;;) {
      if (this.#exhausted !== undefined) return 'exhausted';
      const edns = servers.takesEdns(server, this.#nowMs);
      const timeoutMs = Math.min(servers.timeoutMs(server, this.#nowMs), this.#deadlineMs - this.#nowMs);
      this.#asked += 1;
      const heard = yield { server, name, type, recursionDesired, edns, timeoutMs };
      this.#nowMs = heard.nowMs;
      if (heard.kind === 'timeout') servers.silent(server, heard.nowMs);
      if (heard.kind !== 'answer') return heard;
      servers.answered(server, heard.roundTripMs, heard.nowMs);
      if (!edns || !complainsAboutEdns(heard.message)) return heard;
      servers.refusedEdns(server, heard.nowMs);
    }
  }

  /** Why nothing more may be asked; undefined while something may. */
  get #exhausted(): string | undefined {
    if (this.#asked >= this.#limits.maxUpstreamQueries)
      return `gave up after ${this.#asked} questions to other servers`;
    if (this.#nowMs >= this.#deadlineMs) return `no answer in ${this.#limits.resolutionTimeoutMs} ms`;
    return undefined;
  }

  #shuffled(names: readonly Name[]): Name[] {
    const rest = [...names];
    const result: Name[] = [];
    while (rest.length > 0) result.push(...rest.splice(this.#state.random.below(rest.length), 1));
    return result;
  }
}

/** RFC 6891 section 7: an old server answers FORMERR or NOTIMP, without an OPT record of its own. */
function complainsAboutEdns(message: Message): boolean {
  const complaint =
    message.rcode === RCODE.FORMERR || message.rcode === RCODE.NOTIMP || message.rcode === RCODE.BADVERS;
  return complaint && message.edns === undefined;
}

function targetName(record: ResourceRecord): Name {
  return aliasTarget({ ...record, type: TYPE.CNAME });
}

function findingOf(local: ZoneAnswer): Finding {
  if (local.leftAt !== undefined) return { kind: 'alias', records: local.answers, target: local.leftAt };
  if (local.rcode === RCODE.NXDOMAIN) {
    return local.answers.length > 0 ? chainEnd(local) : { kind: 'no-name', soa: local.authorities[0] };
  }
  if (local.rcode !== RCODE.NOERROR)
    return failure(EXTENDED_ERROR.OTHER, `our own zone answers ${rcodeName(local.rcode)}`);
  if (local.authorities.length > 0)
    return local.answers.length > 0 ? chainEnd(local) : { kind: 'no-data', soa: local.authorities[0] };
  return { kind: 'data', records: local.answers };
}

/** Aliases of ours that end at a name of ours without data: the last of them leads there, and it is asked next. */
function chainEnd(local: ZoneAnswer): Finding {
  const last = local.answers[local.answers.length - 1] as ResourceRecord;
  return { kind: 'alias', records: local.answers, target: aliasTarget(last) };
}

function aliasFinding(records: readonly ResourceRecord[]): Finding {
  return { kind: 'alias', records, target: aliasTarget(records[0] as ResourceRecord) };
}

/** The first alias only: the rest is in the cache by now, or has to be asked. */
function chainFinding(name: Name, aliases: readonly ResourceRecord[]): Finding {
  const [first] = aliases;
  return first === undefined
    ? failure(EXTENDED_ERROR.INVALID_DATA, `no alias of ${nameToText(name)}`)
    : aliasFinding([first]);
}

function failure(infoCode: number, text: string): { kind: 'failure'; error: ExtendedError } {
  return { kind: 'failure', error: { infoCode, text } };
}

function describe(name: Name, type: number): string {
  return `${typeName(type)} ${nameToText(name)}`;
}
