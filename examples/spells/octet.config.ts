/** The spells system: everything that configuration can say. `worker.ts` is all the code there is. */
import type { OctetInput } from '../../src/index.ts';

export default {
  dns: { zones: { 'spells.test': 'spells.test.zone' } },
  database: { init: ['schema.sql'] },
  queue: {
    exchanges: [{ name: 'events', type: 'topic' }],
    queues: ['spell-mail', 'spell-archive'],
    bindings: [
      { exchange: 'events', queue: 'spell-mail', routingKey: 'spells.inserted' },
      // Nobody reads this one: what was queued must still be there tomorrow.
      { exchange: 'events', queue: 'spell-archive', routingKey: 'spells.#' },
    ],
  },
  objects: { buckets: ['files'], publicRead: ['files'] },
  mail: { hostname: 'mail.spells.test', domains: ['spells.test'] },
  api: { tables: { spells: { key: 'id', cacheSeconds: 60, exchange: 'events' } } },
  balancer: {
    pools: { api: {}, objects: { healthPath: '' } },
    routes: [
      { pathPrefix: '/api', pool: 'api' },
      { pathPrefix: '/files', pool: 'objects' },
    ],
  },
} satisfies OctetInput;
