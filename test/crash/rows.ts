/**
 * Rows in pairs: each transaction writes to two tables, so that after a crash both have a thing in the same
 * state or neither has it.
 */
import pg from 'pg';
import { ABSENT, Ledger } from './ledger.ts';
import { digest, type Material, repeat, sample, type Witness } from './witness.ts';

const CONNECTIONS = 4;
const MAX_BODY_LENGTH = 4_000;
const SAMPLE = 20;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS crash_left (id text PRIMARY KEY, version integer NOT NULL, body text NOT NULL);
CREATE TABLE IF NOT EXISTS crash_right (id text PRIMARY KEY, version integer NOT NULL, digest text NOT NULL);
CREATE INDEX IF NOT EXISTS crash_left_version ON crash_left (version);
`;

export class Rows implements Witness {
  readonly name = 'rows';
  readonly #ledger = new Ledger('row');
  readonly #material: Material;
  #clients: pg.Client[] = [];
  #next = 0;

  constructor(material: Material) {
    this.#material = material;
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  async connect(env: Readonly<Record<string, string>>): Promise<void> {
    this.#clients = Array.from({ length: CONNECTIONS }, () => {
      const client = new pg.Client({ connectionString: env['DATABASE_URL'] });
      client.on('error', () => undefined);
      return client;
    });
    await Promise.all(this.#clients.map((client) => client.connect()));
    await this.#clients[0]?.query(SCHEMA);
  }

  async load(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#clients.map((client, lane) => repeat(signal, () => this.#write(client, lane))));
  }

  freeze(): void {
    this.#ledger.freeze();
  }

  thaw(): void {
    this.#ledger.thaw();
  }

  abandon(): void {
    // `end` waits for what is under way; the server is gone.
    for (const client of this.#clients) client.end().catch(() => undefined);
  }

  async verify(): Promise<string[]> {
    const client = this.#clients[0]!;
    const left = await client.query<Row>('SELECT id, version, body AS content FROM crash_left');
    const right = await client.query<Row>('SELECT id, version, digest AS content FROM crash_right');
    const states = new Map(left.rows.map((row) => [row.id, `${row.version} ${digest(row.content)}`]));
    const others = new Map(right.rows.map((row) => [row.id, `${row.version} ${row.content}`]));
    return [
      ...this.#ledger.settle(states),
      ...halves(states, others),
      ...(await this.#viaIndexes(client, left.rows)),
    ];
  }

  /** One transaction on rows of this connection's own: mostly new ones, some changed, few deleted. */
  async #write(client: pg.Client, lane: number): Promise<void> {
    const { random } = this.#material;
    const dice = random.below(10);
    const own = dice < 6 ? [] : this.#ledger.sureKeys().filter((id) => id.endsWith(`-${lane}`));
    const id = own[random.below(Math.max(own.length, 1))];
    await client.query('BEGIN');
    if (id === undefined) await this.#insert(client, `${(this.#next += 1)}-${lane}`);
    else if (dice < 9) await this.#update(client, id);
    else await this.#delete(client, id);
  }

  async #insert(client: pg.Client, id: string): Promise<void> {
    const body = this.#material.text(this.#material.size(MAX_BODY_LENGTH));
    await client.query('INSERT INTO crash_left (id, version, body) VALUES ($1, 1, $2)', [id, body]);
    await client.query('INSERT INTO crash_right (id, version, digest) VALUES ($1, 1, $2)', [
      id,
      digest(body),
    ]);
    await this.#commit(client, id, `1 ${digest(body)}`);
  }

  async #update(client: pg.Client, id: string): Promise<void> {
    const version = Number.parseInt(this.#ledger.sure(id) ?? '', 10) + 1;
    const body = this.#material.text(this.#material.size(MAX_BODY_LENGTH));
    const values = [id, version, body];
    await client.query('UPDATE crash_left SET version = $2, body = $3 WHERE id = $1', values);
    values[2] = digest(body);
    await client.query('UPDATE crash_right SET version = $2, digest = $3 WHERE id = $1', values);
    await this.#commit(client, id, `${version} ${digest(body)}`);
  }

  async #delete(client: pg.Client, id: string): Promise<void> {
    await client.query('DELETE FROM crash_left WHERE id = $1', [id]);
    await client.query('DELETE FROM crash_right WHERE id = $1', [id]);
    await this.#commit(client, id, ABSENT);
  }

  async #commit(client: pg.Client, id: string, state: string | typeof ABSENT): Promise<void> {
    // One in eight is taken back, and must leave nothing.
    if (this.#material.random.below(8) === 0) {
      await client.query('ROLLBACK');
      return;
    }
    const acknowledge = this.#ledger.ask(id, state);
    await client.query('COMMIT');
    acknowledge();
  }

  async #viaIndexes(client: pg.Client, rows: readonly Row[]): Promise<string[]> {
    const violations: string[] = [];
    for (const row of sample(rows, SAMPLE, this.#material.random)) {
      const byKey = await client.query<Row>('SELECT version FROM crash_left WHERE id = $1', [row.id]);
      if (byKey.rows[0]?.version !== row.version) violations.push(`row ${row.id}: its primary key differs`);
    }
    const counts = new Map<number, number>();
    for (const { version } of rows) counts.set(version, (counts.get(version) ?? 0) + 1);
    for (const [version, count] of [...counts].slice(0, SAMPLE)) {
      const text = 'SELECT count(*)::int AS n FROM crash_left WHERE version = $1';
      const { rows: counted } = await client.query<{ n: number }>(text, [version]);
      const n = counted[0]?.n;
      if (n !== count)
        violations.push(`index on version: ${n} rows of version ${version}, the table has ${count}`);
    }
    return violations;
  }
}

interface Row {
  readonly id: string;
  readonly version: number;
  readonly content: string;
}

function halves(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): string[] {
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((id) => left.get(id) !== right.get(id))
    .map((id) => `HALF: row ${id} is ${left.get(id)} on the left and ${right.get(id)} on the right`);
}
