/** A thread of `run.ts`: runs the portions that it is sent. */
import { parentPort } from 'node:worker_threads';
import { type Portion, runPortion } from './simulations.ts';

parentPort?.on('message', async (portion: Portion) => {
  parentPort?.postMessage(await runPortion(portion));
});
