import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Contender } from './contender.ts';
import { AnyEntry, ENTRIES } from './entries.ts';
import { commits, loadAll } from './rounds.ts';

/** Keeps what it is told, and is durable a turn of the event loop later. */
class Recorder implements Contender {
  written = 0;
  isAscending = true;
  #previous: Buffer = Buffer.alloc(0);
  readonly last: boolean[] = [];
  underWay = 0;
  mostUnderWay = 0;

  async commit(key: Buffer): Promise<void> {
    await this.#durable();
    this.#write(key);
  }

  async load(batch: readonly (readonly [Buffer, Buffer])[], isLast: boolean): Promise<void> {
    for (const [key] of batch) this.#write(key);
    this.last.push(isLast);
    await this.#durable();
  }

  get(): undefined {
    return undefined;
  }

  scan(): number {
    return 0;
  }

  async close(): Promise<void> {}

  #write(key: Buffer): void {
    this.written++;
    this.isAscending &&= Buffer.compare(this.#previous, key) < 0;
    this.#previous = key;
  }

  async #durable(): Promise<void> {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await new Promise((resolve) => setImmediate(resolve));
    this.underWay--;
  }
}

test('loading writes every entry once, in order, ends with the last batch and waits for all', async () => {
  const recorder = new Recorder();
  assert.equal(await loadAll(recorder), ENTRIES);
  assert.equal(recorder.written, ENTRIES);
  assert.ok(recorder.isAscending);
  assert.equal(recorder.last.indexOf(true), recorder.last.length - 1);
  assert.equal(recorder.underWay, 0);
  assert.ok(recorder.mostUnderWay > 1 && recorder.mostUnderWay <= 16);
});

test('every writer waits for its commit, and all of them commit at once', async () => {
  const recorder = new Recorder();
  const operations = await commits(recorder, 8, new AnyEntry(1), 20);
  assert.equal(recorder.mostUnderWay, 8);
  assert.equal(recorder.written, operations);
});
