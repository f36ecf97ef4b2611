import { SeededRandom } from '../random/seeded-random.ts';
import { journalContract } from '../testing/journal-contract.ts';
import { createMemoryJournal } from './memory-journal.ts';

journalContract('memory', async () => {
  const journal = createMemoryJournal({ random: new SeededRandom(1) });
  return { journal, [Symbol.asyncDispose]: () => journal.close() };
});
