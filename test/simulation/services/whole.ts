/**
 * The whole system, each service on its own machine: clients write and read through the balancer, which asks two
 * instances of the API, which ask database, cache and queue; a worker takes the events. What was promised, across
 * all of them:
 *
 *   - a row whose insertion was acknowledged is there, for every reader, from then on; one that was refused is not;
 *   - of the changes of a row the last acknowledged one is there, or a later one of unknown outcome;
 *   - each acknowledged insertion is told by an event, at least once;
 *   - no request that may not be repeated is repeated on the way;
 *   - when everything is whole again, what the cache gives is what the database has.
 */
import { DEFAULT_API_OPTIONS, startApi } from '../../../src/api/index.ts';
import { DEFAULT_BALANCER_OPTIONS, startBalancer } from '../../../src/balancer/index.ts';
import { DEFAULT_CACHE_OPTIONS, startCache } from '../../../src/cache/index.ts';
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import { SeededRandom } from '../../../src/core/random/seeded-random.ts';
import { SimulatedWorld } from '../../../src/core/testing/simulated-world/simulated-world.ts';
import { connectDatabase, DEFAULT_DATABASE_OPTIONS, startDatabase } from '../../../src/database/index.ts';
import { createHttpClient, type HttpClient } from '../../../src/http/index.ts';
import { connectQueue, startQueue } from '../../../src/queue/index.ts';
import { Violations } from '../simulation.ts';
import { insist } from './insist.ts';
import { Keeper, type Start } from './keeper.ts';
import { Ledger } from './ledger.ts';
import { type RunOptions, type RunResult, type Scene, sceneOf } from './service-run.ts';
import { Storm } from './storm.ts';

const CACHE_SECONDS = 20;
const WRITERS = 3;
const CLIENT = 'client';
/** Half-open sessions, caches and events have their time to settle, and the outbox to look again. */
const SETTLING_MS = 120_000;

const SCHEMA = 'CREATE TABLE spells (id text PRIMARY KEY, power integer NOT NULL)';

/** In the order in which they start; what stands on others may have to try again. */
function starts({ network }: SimulatedWorld): Readonly<Record<string, Start>> {
  const api =
    (name: string): Start =>
    (host) =>
      startApi(
        {
          ...DEFAULT_API_OPTIONS,
          name,
          databaseUrl: 'postgres://octet@database:5432/octet',
          cacheUrl: 'redis://cache:6379',
          queueUrl: 'amqp://guest:guest@queue:5672/',
          tables: { spells: { key: 'id', cacheSeconds: CACHE_SECONDS, exchange: 'events' } },
        },
        host,
      );
  const servers = ['api-1', 'api-2'].map((name) => `${network.address(name)}:${DEFAULT_API_OPTIONS.port}`);
  return {
    database: (host) => startDatabase({ ...DEFAULT_DATABASE_OPTIONS, password: '' }, host),
    cache: (host) => startCache(DEFAULT_CACHE_OPTIONS, host),
    queue: (host) => startQueue({ managementPort: undefined }, host),
    'api-1': api('api-1'),
    'api-2': api('api-2'),
    balancer: (host) =>
      startBalancer(
        {
          ...DEFAULT_BALANCER_OPTIONS,
          pools: { api: { servers, health: { path: '/healthz' } } },
          routes: [{ pathPrefix: '/', pool: 'api' }],
        },
        host,
      ),
  };
}

/** @returns what was promised and not kept */
export async function runWhole(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const world = new SimulatedWorld({ seed, ...options });
  const violations = new Violations();
  try {
    await world.run(() => live(world, violations));
  } catch (error) {
    violations.add(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
  }
  return { violations: violations.list, digest: world.digest() };
}

async function live(world: SimulatedWorld, violations: Violations): Promise<void> {
  const random = new SeededRandom(world.random.next());
  const keepers: Keeper[] = [];
  for (const [name, start] of Object.entries(starts(world))) {
    const standsOnOthers = name.startsWith('api');
    const keeper = new Keeper(world, name, start, { violations, random, standsOnOthers });
    keepers.push(keeper);
  }
  const storm = new Storm({
    world,
    random: new SeededRandom(world.random.next()),
    keepers,
    clients: [CLIENT, ...keepers.map(({ name }) => name)],
    count: 1 + random.below(6),
    everyMs: random.pick([200, 4_000]),
  });
  const { scene, end } = sceneOf(world, violations, random, keepers[0] as Keeper, world.host(CLIENT));
  const system = new System(scene);
  for (const keeper of keepers) {
    await keeper.up();
    if (keeper.name === 'database') await insist(scene, () => system.makeTable());
    if (keeper.name === 'queue') await insist(scene, () => system.makeQueue());
  }
  const workers = [...Array.from({ length: WRITERS }, (_, number) => system.write(number)), system.listen()];
  await storm.rage();
  end();
  await Promise.all(workers);
  await world.clock.sleep(SETTLING_MS);
  await system.verify();
  for (const keeper of keepers.reverse()) {
    await keeper.close();
    await keeper.check();
  }
}

class System {
  readonly #scene: Scene;
  readonly #rows = new Ledger('row');
  /** By row: the last power that was acknowledged, and the last that was asked for. */
  readonly #powers = new Map<string, { acknowledged: number; asked: number }>();
  readonly #told = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async makeTable(): Promise<void> {
    await using client = await connectDatabase({ ...this.#scene.client, url: this.#databaseUrl });
    await client.script(SCHEMA);
  }

  async makeQueue(): Promise<void> {
    await using client = await connectQueue({ ...this.#scene.client, url: this.#queueUrl });
    await client.declareExchange('events', { type: 'topic' });
    await client.declareQueue('told');
    await client.bindQueue('told', 'events', 'spells.#');
  }

  readonly #databaseUrl = 'postgres://octet@database:5432/octet';
  readonly #queueUrl = 'amqp://guest:guest@queue:5672/';

  /** Inserts rows, changes them, and reads them again. */
  async write(writer: number): Promise<void> {
    const { client, random } = this.#scene;
    await using http = createHttpClient({ network: client.network, clock: client.clock });
    let own: string[] = [];
    for (let count = 1; this.#scene.isOpen(); count += 1) {
      try {
        const id = random.pick(own.length === 0 ? [''] : own);
        if (id === '' || random.chance(0.4)) own = [...own, await this.#insert(http, `${writer}-${count}`)];
        else if (random.chance(0.5)) await this.#change(http, id);
        else await this.#read(http, id);
      } catch (error) {
        this.#scene.world.note(`a request fails: ${codeOf(error)} ${messageOf(error)}`);
        // Rows of which something is not known are left to the verification.
        own = own.filter((id) => this.#isCertain(id));
      }
      await this.#scene.pause(300);
    }
  }

  #isCertain(id: string): boolean {
    const power = this.#powers.get(id);
    return power !== undefined && power.acknowledged === power.asked;
  }

  async #insert(http: HttpClient, id: string): Promise<string> {
    this.#rows.begin(id);
    this.#powers.set(id, { acknowledged: 0, asked: 0 });
    const { status, text } = await this.#request(http, 'POST', '/api/spells', { id, power: 0 });
    const { violations } = this.#scene;
    violations.check(status !== 409, () => `the insertion of ${id} was sent twice`);
    if (status === 201) this.#rows.acknowledge(id);
    else if (status >= 400 && status < 500) this.#rows.refuse(id);
    if (status !== 201) throw new Error(`${status} ${text}`);
    return id;
  }

  async #change(http: HttpClient, id: string): Promise<void> {
    const power = this.#powers.get(id) as { acknowledged: number; asked: number };
    power.asked += 1;
    const { status, text } = await this.#request(http, 'PATCH', `/api/spells/${id}`, { power: power.asked });
    if (status !== 200) throw new Error(`${status} ${text}`);
    power.acknowledged = power.asked;
  }

  async #read(http: HttpClient, id: string): Promise<void> {
    const { status, text } = await this.#request(http, 'GET', `/api/spells/${id}`);
    const isThere = this.#rows.outcome(id) === 'acknowledged';
    this.#scene.violations.check(
      status !== 404 || !isThere,
      () => `row ${id} is acknowledged, and not found`,
    );
    if (status !== 200) throw new Error(`${status} ${text}`);
  }

  async #request(
    http: HttpClient,
    method: string,
    path: string,
    content?: unknown,
  ): Promise<{ status: number; text: string }> {
    const { world } = this.#scene;
    const response = await http.request({
      method,
      url: `http://${world.network.address('balancer')}:${DEFAULT_BALANCER_OPTIONS.port}${path}`,
      timeoutMs: 10_000,
      ...(content === undefined
        ? {}
        : { headers: [['Content-Type', 'application/json']], body: JSON.stringify(content) }),
    });
    return { status: response.status, text: (await response.body.bytes(100_000)).toString() };
  }

  /** Takes the events for as long as anything is left to be told. */
  async listen(): Promise<void> {
    const { client, isOpen, world } = this.#scene;
    while (isOpen()) {
      try {
        await using queue = await connectQueue({ ...client, url: this.#queueUrl });
        await this.#take(queue);
        while (isOpen()) await world.clock.sleep(500);
      } catch (error) {
        world.note(`the worker fails: ${codeOf(error)} ${messageOf(error)}`);
        await world.clock.sleep(500);
      }
    }
  }

  async #take(queue: Awaited<ReturnType<typeof connectQueue>>): Promise<void> {
    await queue.consume('told', (message) => {
      const { event, row } = JSON.parse(message.body.toString()) as { event: string; row: { id: string } };
      if (event === 'spells.inserted') this.#told.add(row.id);
    });
  }

  async verify(): Promise<void> {
    const { client, violations, world } = this.#scene;
    await using database = await insist(this.#scene, () =>
      connectDatabase({ ...client, url: this.#databaseUrl }),
    );
    await using queue = await insist(this.#scene, () => connectQueue({ ...client, url: this.#queueUrl }));
    await using http = createHttpClient({ network: client.network, clock: client.clock });
    await this.#take(queue);
    await world.clock.sleep(10_000);
    const { rows } = await insist(this.#scene, () => database.query('SELECT id, power FROM spells'));
    this.#rows.verify(new Set(rows.map(([id]) => id as string)), violations);
    for (const [id, power] of rows) await this.#verifyRow(http, id as string, Number(power));
  }

  async #verifyRow(http: HttpClient, id: string, power: number): Promise<void> {
    const { violations } = this.#scene;
    const { acknowledged, asked } = this.#powers.get(id) ?? { acknowledged: 0, asked: 0 };
    const isKept = power >= acknowledged && power <= asked;
    violations.check(isKept, () => `row ${id} has ${power}; ${acknowledged} to ${asked} may be`);
    violations.check(this.#told.has(id), () => `row ${id} was inserted, and nobody was told`);
    const shown = await insist(this.#scene, async () => {
      const { status, text } = await this.#request(http, 'GET', `/api/spells/${id}`);
      if (status !== 200) throw new Error(`${status} ${text}`);
      return (JSON.parse(text) as { power: number }).power;
    });
    violations.check(shown === power, () => `row ${id} has ${power}, and is shown with ${shown}`);
  }
}
