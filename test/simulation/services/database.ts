/**
 * Transfers between accounts while everything goes wrong. Each is one transaction: two accounts change, and a row
 * says so. What was promised:
 *
 *   - an acknowledged transfer is there, a refused one is not, of any other all or nothing;
 *   - the accounts are what the transfers make them, for every reader at every moment, so their sum never changes;
 *   - what a reader was shown is durable;
 *   - an index finds what the table holds.
 */
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import {
  connectDatabase,
  type DatabaseClient,
  type DatabaseSession,
  DEFAULT_DATABASE_OPTIONS,
  startDatabase,
} from '../../../src/database/index.ts';
import { insist } from './insist.ts';
import { Ledger } from './ledger.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const ACCOUNTS = 6;
const BALANCE = 1_000;
const WORKERS = 4;
const STATEMENT_TIMEOUT_MS = 5_000;

const SCHEMA = `
  CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL);
  CREATE TABLE transfer (id text PRIMARY KEY, source integer NOT NULL, target integer NOT NULL, amount integer NOT NULL);
  CREATE INDEX transfer_source ON transfer (source);
  INSERT INTO account SELECT number, ${BALANCE} FROM generate_series(1, ${ACCOUNTS}) AS series (number);
`;

/** Answers to COMMIT that leave open whether it happened; after any other error it did not. */
const UNKNOWN = new Set(['08000', '08003', '08006', '08007', '57014', '57P01', '08P01', 'XX000']);

export function databaseCase(): ServiceCase {
  const transfers = new Ledger('transfer');
  return {
    name: 'database',
    start: () => (host) =>
      startDatabase({ ...DEFAULT_DATABASE_OPTIONS, host: '127.0.0.1', password: '' }, host),
    prepare: (scene) => withClient(scene, async (client) => void (await client.script(SCHEMA))),
    workers: [
      ...Array.from(
        { length: WORKERS },
        () => (scene: Scene, number: number) => transferMoney(scene, number, transfers),
      ),
      (scene) => readBalances(scene, transfers),
    ],
    verify: (scene) => insist(scene, () => withClient(scene, (client) => verify(scene, client, transfers))),
  };
}

function connect({ client: { network, clock, random } }: Scene): Promise<DatabaseClient> {
  const url = 'postgres://octet@database:5432/octet';
  return connectDatabase({ network, clock, random, url, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}

async function withClient(scene: Scene, work: (client: DatabaseClient) => Promise<void>): Promise<void> {
  const client = await connect(scene);
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

/** Works with one client after the other until the scene closes: a client is given up at its first failure. */
async function whileOpen(scene: Scene, work: (client: DatabaseClient) => Promise<void>): Promise<void> {
  while (scene.isOpen()) {
    try {
      await withClient(scene, async (client) => {
        while (scene.isOpen()) await work(client);
      });
    } catch (error) {
      scene.world.note(`a client of the database fails: ${codeOf(error)} ${messageOf(error)}`);
      await scene.pause(300);
    }
  }
}

async function transferMoney(scene: Scene, worker: number, transfers: Ledger): Promise<void> {
  let count = 0;
  await whileOpen(scene, async (client) => {
    count += 1;
    await transferOnce(scene, client, `${worker}-${count}`, transfers);
    await scene.pause(100);
  });
}

async function transferOnce(
  scene: Scene,
  client: DatabaseClient,
  id: string,
  transfers: Ledger,
): Promise<void> {
  const { random } = scene;
  const source = 1 + random.below(ACCOUNTS);
  const target = 1 + ((source + random.below(ACCOUNTS - 1)) % ACCOUNTS);
  const amount = String(1 + random.below(50));
  transfers.begin(id);
  let isCommitting = false;
  try {
    await client.transaction(async (session) => {
      const change = 'UPDATE account SET balance = balance + $1 WHERE id = $2';
      await session.query(change, [`-${amount}`, String(source)]);
      await session.query('INSERT INTO transfer VALUES ($1, $2, $3, $4)', [
        id,
        String(source),
        String(target),
        amount,
      ]);
      await session.query(change, [amount, String(target)]);
      isCommitting = true;
    });
    transfers.acknowledge(id);
  } catch (error) {
    if (!isCommitting || !UNKNOWN.has(codeOf(error) ?? 'XX000')) transfers.refuse(id);
    throw error;
  }
}

/** Reads now in one statement, now in a transaction that must see one state throughout. */
async function readBalances(scene: Scene, transfers: Ledger): Promise<void> {
  await whileOpen(scene, async (client) => {
    if (scene.random.chance(0.5)) {
      const { rows } = await client.query('SELECT sum(balance) FROM account');
      const sum = rows[0]?.[0];
      scene.violations.check(sum === String(ACCOUNTS * BALANCE), () => `a reader saw a sum of ${sum}`);
    } else {
      await client.transaction((session) => readAll(scene, session, transfers));
    }
    await scene.pause(200);
  });
}

async function readAll(scene: Scene, session: DatabaseSession, transfers: Ledger): Promise<void> {
  await session.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  const accounts = await session.query('SELECT id, balance FROM account ORDER BY id');
  const rows = await session.query('SELECT id, source, target, amount FROM transfer');
  for (const [id] of rows.rows) transfers.see(id as string, scene.violations);
  compareBalances(scene, accounts.rows, rows.rows);
}

type Rows = readonly (readonly (string | null)[])[];

function compareBalances({ violations }: Scene, accounts: Rows, transfers: Rows): void {
  const expected = Array.from({ length: ACCOUNTS }, () => BALANCE);
  for (const [, source, target, amount] of transfers) {
    expected[Number(source) - 1]! -= Number(amount);
    expected[Number(target) - 1]! += Number(amount);
  }
  const found = accounts.map(([, balance]) => Number(balance));
  const isEqual = found.length === ACCOUNTS && found.every((balance, index) => balance === expected[index]);
  violations.check(isEqual, () => `the accounts hold ${found}; the transfers make them ${expected}`);
}

async function verify(scene: Scene, client: DatabaseClient, transfers: Ledger): Promise<void> {
  const { violations } = scene;
  const accounts = await client.query('SELECT id, balance FROM account ORDER BY id');
  const { rows } = await client.query('SELECT id, source, target, amount FROM transfer');
  compareBalances(scene, accounts.rows, rows);
  transfers.verify(new Set(rows.map(([id]) => id as string)), violations);
  for (let source = 1; source <= ACCOUNTS; source += 1) {
    const indexed = await client.query('SELECT id FROM transfer WHERE source = $1', [String(source)]);
    const count = rows.filter((row) => Number(row[1]) === source).length;
    const message = `the index finds ${indexed.rows.length} transfers from ${source}, the table has ${count}`;
    violations.check(indexed.rows.length === count, () => message);
  }
}
