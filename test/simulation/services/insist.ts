import { codeOf, messageOf } from '../../../src/core/errors.ts';
import type { Scene } from './service-run.ts';

/** Until the last session of a vanished client is over, and a little more. */
const PATIENCE_MS = 400_000;

/** Tries again until it has worked once: after a storm a service may need its time. @throws when it never does */
export async function insist<Result>({ world }: Scene, work: () => Promise<Result>): Promise<Result> {
  const { clock } = world;
  const deadlineMs = clock.monotonic() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (clock.monotonic() > deadlineMs) throw error;
      world.note(`not yet: ${codeOf(error)} ${messageOf(error)}`);
      await clock.sleep(1_000);
    }
  }
}
