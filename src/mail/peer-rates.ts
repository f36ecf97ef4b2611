/**
 * How much one address may do: connections at once, and messages per minute as a token bucket. Loopback is
 * this machine itself and is not counted.
 */

import { isLoopback } from '../core/net/loopback.ts';
import type { MailLimits } from './limits.ts';

interface PeerState {
  connections: number;
  tokens: number;
  filledAtMs: number;
}

const MINUTE_MS = 60_000;
/** Peers without connections that are remembered for their rate; the oldest are forgotten first. */
const MAX_PEERS = 10_000;

export class PeerRates {
  readonly #limits: MailLimits;
  readonly #peers = new Map<string, PeerState>();

  constructor(limits: MailLimits) {
    this.#limits = limits;
  }

  /** @returns false when the address has too many connections already */
  connect(address: string): boolean {
    if (isLoopback(address)) return true;
    const peer = this.#peer(address);
    if (peer.connections >= this.#limits.maxConnectionsPerAddress) return false;
    peer.connections++;
    return true;
  }

  disconnect(address: string): void {
    const peer = this.#peers.get(address);
    if (peer !== undefined) peer.connections--;
  }

  /** Takes one message's token. @returns false when there is none */
  admit(address: string, nowMs: number): boolean {
    if (isLoopback(address)) return true;
    const peer = this.#peer(address);
    const { maxMessagesPerMinute } = this.#limits;
    const refilled = peer.tokens + ((nowMs - peer.filledAtMs) / MINUTE_MS) * maxMessagesPerMinute;
    peer.tokens = Math.min(maxMessagesPerMinute, refilled);
    peer.filledAtMs = nowMs;
    if (peer.tokens < 1) return false;
    peer.tokens--;
    return true;
  }

  #peer(address: string): PeerState {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) this.#forget();
    const peer: PeerState = { connections: 0, tokens: this.#limits.maxMessagesPerMinute, filledAtMs: 0 };
    this.#peers.set(address, peer);
    return peer;
  }

  #forget(): void {
    for (const [address, peer] of this.#peers) {
      if (peer.connections === 0) {
        this.#peers.delete(address);
        return;
      }
    }
  }
}
