import { OctetError } from '../core/errors.ts';

/**
 * What can go wrong, in DNS terms: a response code that a server gave (RFC 1035 section 4.1.1, RFC 6895
 * section 2.3), or one of our own words where no response code exists.
 */
export type DnsCode =
  | 'FORMERR'
  | 'SERVFAIL'
  | 'NXDOMAIN'
  | 'NOTIMP'
  | 'REFUSED'
  /** Any other response code; the message names it. */
  | 'RCODE'
  /** Text that is not a name, a type, or the data of a record. */
  | 'bad-text'
  /** A zone file that was refused as a whole; `problems` of ZoneError lists why. */
  | 'bad-zone'
  /** An option of `startDns` or of the client that makes no sense. */
  | 'bad-option'
  /** No answer that could be believed came in time. */
  | 'timeout'
  /** The server could not be reached, or closed the connection instead of answering. */
  | 'unreachable'
  /** The server answered with something that is not a DNS message. */
  | 'bad-response';

const REMOTE: ReadonlySet<DnsCode> = new Set<DnsCode>([
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'RCODE',
  'timeout',
  'unreachable',
  'bad-response',
]);
const RETRYABLE: ReadonlySet<DnsCode> = new Set<DnsCode>(['SERVFAIL', 'timeout', 'unreachable']);

export class DnsError extends OctetError<DnsCode> {
  constructor(code: DnsCode, message: string, cause?: unknown) {
    super(code, message, {
      cause,
      fault: REMOTE.has(code) ? 'remote' : 'local',
      retryable: RETRYABLE.has(code),
    });
  }
}

/** One fault in a zone file. `line` and `column` count from 1; both 0 for a fault of the zone as a whole. */
export interface ZoneProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A zone that was refused; nothing of it is served. */
export class ZoneError extends DnsError {
  readonly problems: readonly ZoneProblem[];

  constructor(zone: string, problems: readonly ZoneProblem[]) {
    const listed = problems.map(({ line, column, message }) =>
      line === 0 ? `  ${message}` : `  ${zone}:${line}:${column}: ${message}`,
    );
    super('bad-zone', `zone ${zone} refused:\n${listed.join('\n')}`);
    this.problems = problems;
  }
}
