/**
 * Randomness as an argument: ids, salts, ports and jitter come from here, so that a simulation can repeat
 * them from one seed. The real source is the operating system's cryptographic generator.
 */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Buffer;
  /** A whole number, 0 <= n < `bound`; `bound` from 1 to 2^48 - 1. */
  below(bound: number): number;
  /** A random (version 4) UUID in its 36-character form. RFC 9562 section 5.4. */
  uuid(): string;
}
