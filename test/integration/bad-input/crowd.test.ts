/**
 * Two thousand connections that say nothing, on every port in turn: each is held or refused by the limit, others
 * are served meanwhile, and nothing is left when they go. Needs some 4,100 file descriptors (`ulimit -n 8192`);
 * Node raises the soft limit to the hard one by itself.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { DEFAULT_DNS_LIMITS } from '../../../src/dns/index.ts';
import { askDnsOverTcp, type House, startHouse, type Target } from './house.ts';
import { heldBytes, turn } from './memory.ts';

const CROWD = 2_000;
/** Fewer than may wait for accept: one more is turned away by the kernel and comes again a second later. */
const WAVE = 250;
/** Both ends of a connection are in this process, and a greeting besides. */
const MAX_BYTES_PER_CONNECTION = 24 * 1024;

/** How many of the crowd are let in: fewer than the others where a lower limit is set. */
const ADMITTED: Readonly<Record<string, number>> = { dns: DEFAULT_DNS_LIMITS.maxConnections };

class Crowd {
  readonly sockets: net.Socket[] = [];
  open = 0;

  /** @param accepted resolves when the service has so many of the crowd */
  async gather(to: Target['endpoint'], accepted: (count: number) => Promise<void>): Promise<void> {
    for (let count = WAVE; count <= CROWD; count += WAVE) {
      await this.#wave(to);
      await accepted(count);
    }
  }

  async #wave({ address, port }: Target['endpoint']): Promise<void> {
    const connected: Promise<void>[] = [];
    for (let count = 0; count < WAVE; count++) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const socket = net.connect({ host: address, port }, () => {
        this.open++;
        socket.on('close', () => this.open--);
        resolve();
      });
      socket.on('error', reject);
      socket.resume();
      this.sockets.push(socket);
      connected.push(promise);
    }
    await Promise.all(connected);
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Lets the event loop turn until it is so; the test's own time limit ends a wait for what never comes. */
async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await turn();
  }
}

describe('two thousand idle connections', () => {
  let house: House;
  before(async () => {
    house = await startHouse();
  });
  after(() => house[Symbol.asyncDispose]());

  test('every port', async (context) => {
    for (const target of house.targets) {
      await context.test(target.name, { timeout: 60_000 }, async (one) => {
        const { signal } = one;
        const before = await heldBytes();
        const already = target.connections();
        const admitted = Math.min(CROWD, (ADMITTED[target.name] ?? Number.POSITIVE_INFINITY) - already);
        const crowd = new Crowd();
        try {
          await crowd.gather(target.endpoint, (count) =>
            until(() => target.connections() >= already + Math.min(count, admitted), signal),
          );
          await until(() => crowd.open <= admitted, signal);
          await target.ask();
          const each = ((await heldBytes()) - before) / admitted;
          one.diagnostic(`${target.name}: ${admitted} held, ${(each / 1024).toFixed(1)} KiB each, both ends`);
          assert.ok(each < MAX_BYTES_PER_CONNECTION, `${each} bytes for each connection`);
          assert.equal(crowd.open, admitted);
        } finally {
          crowd.leave();
        }
        await until(() => target.connections() <= already && crowd.open === 0, signal);
        await target.ask();
        if (target.protocol === 'dns') await askDnsOverTcp(house);
      });
    }
  });
});
