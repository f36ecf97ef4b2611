/** One attacker on one connection, and what has to become of it while others are served. */
import assert from 'node:assert/strict';
import type { Peer } from '../../../src/core/testing/peer.ts';
import type { House, Target } from './house.ts';
import { MiB, turn } from './memory.ts';

export interface Attack {
  readonly what: string;
  /** Brings the conversation to where the attack begins; what is received until then does not count. */
  readonly open?: (peer: Peer) => Promise<unknown>;
  readonly send: Uint8Array | string;
  /** One byte at a time. */
  readonly dribbled?: boolean;
  /** Sent behind it, again and again, until there is an answer or an end. */
  readonly filler?: Buffer;
  /** Everything that comes back, as latin1. Default: nothing. */
  readonly reply?: RegExp;
  /** `closed` at once, after a silence of so many milliseconds and not before, or `open` for further use. */
  readonly ends: 'closed' | 'open' | { readonly afterMs: number };
}

/** More than any bound on one message that is refused while it comes in, and than the kernel takes for us. */
const ENDLESS_BYTES = 256 * MiB;

export async function run(house: House, target: Target, attack: Attack): Promise<void> {
  const peer = await house.connect(target);
  try {
    await attack.open?.(peer);
    peer.take();
    if (attack.dribbled === true) await peer.dribble(attack.send);
    else peer.send(attack.send);
    const others = target.ask();
    if (attack.filler !== undefined) await pour(peer, attack.filler);
    await outcome(house, target, attack, peer);
    await others;
  } finally {
    peer.close();
  }
  await target.ask();
}

async function outcome(house: House, target: Target, attack: Attack, peer: Peer): Promise<void> {
  const { reply = /^$/, ends } = attack;
  if (ends === 'open') {
    await peer.until((received) => reply.test(received.toString('latin1')));
    assert.equal(peer.closed, false, 'the connection is closed');
    return;
  }
  if (ends !== 'closed') await silence(house, target, peer, ends.afterMs);
  const received = await peer.untilClosed();
  assert.match(received.toString('latin1'), reply);
}

async function silence(house: House, target: Target, peer: Peer, afterMs: number): Promise<void> {
  await arrived(target);
  house.clock.skip(0.3 * afterMs);
  await target.ask();
  assert.equal(peer.closed, false, `closed before ${afterMs} ms`);
  house.clock.skip(0.8 * afterMs);
}

/** What was sent must have arrived before time moves: whatever is asked now was sent after it. */
async function arrived(target: Target): Promise<void> {
  await target.ask();
  await target.ask();
}

/**
 * One byte after the other, each before it has been silent for too long: the whole must end all the same, when
 * it has taken `afterMs`.
 * @returns what came back
 */
export async function drip(house: House, target: Target, attack: Attack, afterMs: number): Promise<string> {
  const peer = await house.connect(target);
  try {
    await attack.open?.(peer);
    peer.take();
    const bytes = Buffer.from(attack.send as string, 'latin1');
    for (let at = 0; at < 4; at++) {
      peer.send(bytes.subarray(at, at + 1));
      await arrived(target);
      assert.equal(peer.closed, false, `closed after ${at * 0.2 * afterMs} ms`);
      house.clock.skip((at < 3 ? 0.2 : 0.6) * afterMs);
    }
    return (await peer.untilClosed()).toString('latin1');
  } finally {
    peer.close();
  }
}

/** Sends as fast as it is taken. */
async function pour(peer: Peer, filler: Buffer): Promise<void> {
  for (let sent = 0; peer.received.length === 0 && !peer.closed; sent += filler.length) {
    assert.ok(sent < ENDLESS_BYTES, 'everything was taken, without an end');
    peer.send(filler);
    while (peer.connection.bufferedBytes > MiB && !peer.closed && peer.received.length === 0) await turn();
    await turn();
  }
}
