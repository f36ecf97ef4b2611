/**
 * The outcome of decoding bytes that break the protocol or a bound: a value, never an exception. The close code
 * is what the peer is told before the connection ends. RFC 6455 section 7.1.7.
 */

export type ViolationRule =
  | 'reserved-bits'
  | 'reserved-opcode'
  | 'control-fragmented'
  | 'control-too-long'
  | 'length-not-minimal'
  | 'length-too-large'
  | 'not-masked'
  | 'masked'
  | 'unexpected-continuation'
  | 'unfinished-message'
  | 'close-payload'
  | 'close-code'
  | 'close-reason'
  | 'not-utf8'
  | 'bad-deflate'
  | 'message-too-big'
  | 'inflate-ratio'
  | 'too-many-fragments'
  | 'too-many-control-frames';

export interface Violation {
  readonly kind: 'violation';
  readonly rule: ViolationRule;
  /** 1002 protocol error, 1007 not UTF-8 or not DEFLATE, 1008 a policy of ours, 1009 too big. */
  readonly closeCode: 1002 | 1007 | 1008 | 1009;
  /** Short enough for a close frame; never bytes of the input. */
  readonly message: string;
}

export function violation(
  rule: ViolationRule,
  message: string,
  closeCode: Violation['closeCode'] = 1002,
): Violation {
  return { kind: 'violation', rule, closeCode, message };
}
