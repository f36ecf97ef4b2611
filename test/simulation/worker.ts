/** A thread of `run.ts`: runs the portions that it is sent. */
import { parentPort } from 'node:worker_threads';
import { type Portion, runPortion } from './simulations.ts';

parentPort?.on('message', async (portion: Portion) => {
  // Nothing else keeps the thread alive meanwhile: a world that waits for what never comes ends it.
  parentPort?.unref();
  const result = await runPortion(portion);
  parentPort?.ref();
  parentPort?.postMessage(result);
});
