/**
 * Every bound of the DNS service, with its unit, its reason and what others use.
 *
 * The first group comes from the wire format and cannot be configured. `DnsLimits` can: an operator raises a
 * bound, a test lowers it to reach it quickly.
 */

/** Octets of a whole name on the wire, length octets and the root included. RFC 1035 section 3.1. */
export const MAX_NAME_BYTES = 255;
/** Octets of one label. RFC 1035 section 3.1: the top two bits of the length octet mark a pointer. */
export const MAX_LABEL_BYTES = 63;
/** Compression pointers followed for one name. A name has at most 127 labels, and a useful pointer has a
 * label before it, so an honest name never needs more. Unbound allows 256, Go's miekg/dns 126. */
export const MAX_POINTERS = 127;
/** Octets of any message: the two-octet length prefix of TCP. RFC 1035 section 4.2.2. */
export const MAX_MESSAGE_BYTES = 65_535;
/** A UDP answer to a client that did not send EDNS. RFC 1035 section 4.2.1. */
export const PLAIN_UDP_BYTES = 512;
/** What we advertise and never exceed over UDP: fits in one IPv6 packet of the minimum MTU. RFC 9715. */
export const EDNS_UDP_BYTES = 1_232;
/** A larger TTL on the wire counts as zero. RFC 2181 section 8. */
export const MAX_TTL_SECONDS = 2_147_483_647;

/** Addresses of one zone's servers that are considered; more do not make it more reachable. */
export const MAX_ADDRESSES_PER_ZONE = 16;
/** How often each server of a zone is asked in one round while it is silent: a lost datagram is common, two in
 * a row are not. BIND and Unbound retry up to five times, each with longer waits. */
export const ROUNDS_PER_ZONE = 2;
/** Labels shown one at a time before larger steps begin. RFC 9156 section 2.3, MINIMISE_ONE_LAB. */
export const SINGLE_LABEL_STEPS = 4;
/** What was learnt of a server is learnt anew after so long. BIND `lame-ttl` 10 min, Unbound
 * `infra-host-ttl` 15 min. */
export const SERVER_MEMORY_MS = 15 * 60_000;

/** What our client waits for each attempt and transport, and how often it tries. glibc: 5 s and 2. */
export const CLIENT_TIMEOUT_MS = 2_000;
export const CLIENT_ATTEMPTS = 3;

export interface DnsLimits {
  /** Errors collected from one zone file before the parser gives up; the first few tell the story. */
  readonly maxZoneErrors: number;
  /** Octets of one zone file read at start. BIND and Knot have no bound; a typo should not fill memory. */
  readonly maxZoneBytes: number;

  /** Open TCP connections. BIND `tcp-clients` 150, Unbound `incoming-num-tcp` 10 per thread. */
  readonly maxConnections: number;
  /** A TCP connection that sends nothing at first. RFC 7766 section 6.2.3 asks for seconds. */
  readonly firstByteTimeoutMs: number;
  /** A TCP connection without traffic. BIND 30 s, Knot and Unbound 10 s and 30 s. */
  readonly idleTimeoutMs: number;
  /** Time for one message to arrive whole once its first octet came, against writers of one octet now and
   * then, which an idle limit does not catch. */
  readonly messageTimeoutMs: number;
  /** Answers written to a TCP peer that it did not take. */
  readonly maxBufferedBytes: number;
  /** Answers put together before they are written as one piece: one read may hold a thousand questions. */
  readonly maxGatheredBytes: number;
  /** Queries of one TCP connection being answered; further ones wait unread. BIND 23, Knot and others 16-64. */
  readonly maxPipelined: number;
  readonly closeTimeoutMs: number;

  /** Octets of answers from zones kept ready to be sent again. */
  readonly maxReadyBytes: number;

  /** Client queries being resolved at once; further ones get SERVFAIL. BIND `recursive-clients` 1000. */
  readonly maxResolutions: number;
  /** Client queries that wait for the same resolution; further ones are dropped. */
  readonly maxWaitersPerResolution: number;
  /** Queries in flight to one upstream server. BIND `fetches-per-server`. */
  readonly maxInFlightPerServer: number;
  /** Upstream packets that one client query may cause, whatever it leads to. Unbound
   * `max-global-quota` 200, BIND `max-recursion-queries` 100. */
  readonly maxUpstreamQueries: number;
  /** Links of one CNAME chain. Unbound 11, BIND 11-16. */
  readonly maxCnameChain: number;
  /** Zone cuts followed for one name; a name has few, a loop has many. */
  readonly maxReferrals: number;
  /** Name servers of one delegation taken into account; NXNSAttack sends hundreds. */
  readonly maxNameServers: number;
  /** Name servers without glue looked up per delegation. CVE-2020-12662; Unbound uses 5 at first. */
  readonly maxGlueLookups: number;
  /** Look-ups inside look-ups (the address of a name server of a name server …). Unbound 7, BIND 7. */
  readonly maxLookupDepth: number;
  /** Extra labels shown one at a time while minimising; the rest in a few larger steps. RFC 9156 section 2.3. */
  readonly maxMinimisedSteps: number;

  /** First wait for an upstream without history. BIND 800 ms, Unbound 376 ms. */
  readonly initialTimeoutMs: number;
  readonly minTimeoutMs: number;
  readonly maxTimeoutMs: number;
  /** The whole of one client query. BIND `resolver-query-timeout` 10 s; stub resolvers give up at 5 s. */
  readonly resolutionTimeoutMs: number;
  /** Datagrams that do not match an outstanding query before it is asked again over TCP. RFC 5452 section 9. */
  readonly maxMismatches: number;

  /** Entries in the answer cache. */
  readonly maxCacheEntries: number;
  /** Octets of names and data in the answer cache; the least recently used goes first. */
  readonly maxCacheBytes: number;
  /** Zone cuts remembered. */
  readonly maxDelegations: number;
  /** Upstream addresses whose speed and health are remembered. */
  readonly maxServersRemembered: number;
  /** A cached answer lives no longer. BIND and Unbound: one week and one day. */
  readonly maxCacheTtlSeconds: number;
  /** A cached "no such name" or "no such data" lives no longer. RFC 2308 section 5: one to three hours. */
  readonly maxNegativeTtlSeconds: number;
  /** First and longest memory of a failed resolution. RFC 9520 section 3.2: 1 s to 5 min, growing. */
  readonly minFailureTtlSeconds: number;
  readonly maxFailureTtlSeconds: number;
}

export const DEFAULT_DNS_LIMITS: DnsLimits = {
  maxZoneErrors: 20,
  maxZoneBytes: 64 * 1024 * 1024,

  maxConnections: 1_024,
  firstByteTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  messageTimeoutMs: 10_000,
  maxBufferedBytes: 1024 * 1024,
  maxGatheredBytes: 64 * 1024,
  maxPipelined: 64,
  closeTimeoutMs: 1_000,

  maxReadyBytes: 8 * 1024 * 1024,

  maxResolutions: 1_000,
  maxWaitersPerResolution: 200,
  maxInFlightPerServer: 500,
  maxUpstreamQueries: 100,
  maxCnameChain: 11,
  maxReferrals: 30,
  maxNameServers: 16,
  maxGlueLookups: 5,
  maxLookupDepth: 6,
  maxMinimisedSteps: 10,

  initialTimeoutMs: 400,
  minTimeoutMs: 50,
  maxTimeoutMs: 3_000,
  resolutionTimeoutMs: 10_000,
  maxMismatches: 10,

  maxCacheEntries: 100_000,
  maxCacheBytes: 32 * 1024 * 1024,
  maxDelegations: 20_000,
  maxServersRemembered: 20_000,
  maxCacheTtlSeconds: 86_400,
  maxNegativeTtlSeconds: 10_800,
  minFailureTtlSeconds: 1,
  maxFailureTtlSeconds: 300,
};
