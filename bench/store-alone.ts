import type { Benchmark } from './benchmark.ts';
export const storeAlone: Benchmark = {
  name: 'store-alone',
  compared: '',
  prepare: async () => ({ peer: '', cpu: { ours: () => 0, peer: () => 0 }, workloads: [] }),
};
