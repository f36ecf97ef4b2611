import { turn } from './turn.ts';

/**
 * How long a group commit waits for others before it goes to the disk.
 *
 * Several writers come by sockets, each in a callback of its own within one turn of the event loop: the first of them
 * waits for the others, for going ahead alone it would make them wait for a whole sync. A lone writer waits only for
 * what else its own turn of the microtask queue commits: a turn of the event loop would cost it a tenth of a fast sync,
 * and even the next tick a measurable part.
 * @returns what to await; `undefined` is one turn of that queue
 */
export function gathering(several: boolean): Promise<void> | undefined {
  return several ? turn() : undefined;
}
