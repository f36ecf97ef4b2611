/**
 * npm run crash -- --rounds N [--seed S] [--only rows,messages,objects,mails]
 * npm run crash -- --recovery MB
 *
 * `octet up` on a folder, under a load of transactions, confirmed messages, objects and mails, is killed (SIGKILL)
 * at a random moment and started again on the same folder, N times. Each time everything that was acknowledged
 * has to be there, whole, and nothing may be there that was never written.
 *
 * In most rounds the stores have small bounds, so that checkpoints follow one another and many a kill hits one; in
 * the others the bounds are the usual ones, and the journal grows. Restarts are killed as well: at any moment of
 * the start, and right after a store began to recover, sometimes several in a row. What each kill left is copied
 * and its stores are checked whole, while the next start recovers the original.
 *
 * With `--recovery`, one start on a journal of so many megabytes (recovery.ts).
 *
 * What a kill cannot show is a disk that lost what was not synced: the system still has it. That is shown by
 * `npm run power-cut` and `npm run simulate`.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';
import type { OctetInput, ServiceName } from '../../src/octet/config.ts';
import {
  EPHEMERAL_PORTS,
  exitOnSignals,
  type OctetProcess,
  startAndKill,
  startOctetProcess,
} from '../octet-process.ts';
import { Mails } from './mails.ts';
import { Messages } from './messages.ts';
import { Objects } from './objects.ts';
import { showRecovery } from './recovery.ts';
import { Rows } from './rows.ts';
import { Stores } from './stores.ts';
import { Material, type Witness } from './witness.ts';

const WITNESSES: Readonly<Record<string, { service: ServiceName; create: (material: Material) => Witness }>> =
  {
    rows: { service: 'database', create: (material) => new Rows(material) },
    messages: { service: 'queue', create: (material) => new Messages(material) },
    objects: { service: 'objects', create: (material) => new Objects(material) },
    mails: { service: 'mail', create: (material) => new Mails(material) },
  };

/** After the start of the load. */
const KILL_AFTER_MS = { least: 50, most: 1_200 };
/** One restart in so many is killed as well; and one in so many of the next. */
const KILLED_RESTARTS = 3;
const KILL_RESTART_WITHIN_MS = 1_000;
/** After the first store began to open: about what its recovery takes. */
const KILL_RECOVERY_WITHIN_MS = 60;
/** In one round of so many the stores have their usual bounds. */
const ROUNDS_OF_USUAL_BOUNDS = 3;
const SMALL_BOUNDS = {
  cacheBytes: 512 * 1_024,
  dirtyBytes: 256 * 1_024,
  journalBytes: 512 * 1_024,
  checkpointAfterMs: 100,
} as const;
/** Messages are taken, and everything is read whole, every so many rounds and in the last. */
const ROUNDS_BETWEEN_DRAINS = 5;
const VERIFY_TIMEOUT_MS = 300_000;
const MAX_PRINTED = 10;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1_000_000)) },
    only: { type: 'string', default: Object.keys(WITNESSES).join(',') },
    recovery: { type: 'string' },
  },
});
process.exitCode =
  values.recovery === undefined
    ? await main(wholeNumber('rounds'), wholeNumber('seed'), chosen())
    : await showRecovery(wholeNumber('recovery'), wholeNumber('seed'));

async function main(rounds: number, seed: number, names: readonly string[]): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-crash-'));
  exitOnSignals(() => rmSync(folder, { recursive: true, force: true }));
  const material = new Material(seed);
  const witnesses = names.map((name) => WITNESSES[name]!.create(material));
  const services = names.map((name) => WITNESSES[name]!.service);
  console.log(`crash: seed ${seed}, ${names.join(', ')}`);
  const violations = await runRounds(rounds, folder, services, witnesses, material.random).catch(
    (error: unknown) => [
      `the run failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`,
    ],
  );
  for (const violation of violations.slice(0, MAX_PRINTED)) console.log(`  ${violation}`);
  if (violations.length > MAX_PRINTED) console.log(`  and ${violations.length - MAX_PRINTED} more`);
  if (violations.length === 0) await rm(folder, { recursive: true, force: true });
  else console.log(`  folder: ${folder}\n  repeat: npm run crash -- --rounds ${rounds} --seed ${seed}`);
  const acknowledged = witnesses.reduce((sum, witness) => sum + witness.acknowledged, 0);
  console.log(`crash: ${rounds} rounds, ${acknowledged} acknowledged, ${violations.length} lost`);
  return violations.length === 0 ? 0 : 1;
}

/** @returns the violations of the first round that has any */
async function runRounds(
  rounds: number,
  folder: string,
  services: readonly ServiceName[],
  witnesses: readonly Witness[],
  random: SeededRandom,
): Promise<string[]> {
  const stores = new Stores(path.join(folder, 'data'), services);
  const copies = path.join(folder, 'copies');
  let octet = await startOctetProcess(folder, configuration(services, random));
  let checkpointsBefore = await stores.checkpoints();
  try {
    await Promise.all(witnesses.map((witness) => witness.connect(octet.env)));
    for (let round = 1; round <= rounds; round++) {
      const killAfterMs = KILL_AFTER_MS.least + random.below(KILL_AFTER_MS.most - KILL_AFTER_MS.least);
      const before = witnesses.map((witness) => witness.acknowledged);
      await loadAndKill(octet, witnesses, killAfterMs);
      const checkpoints = await stores.checkpoints();
      const config = configuration(services, random);
      const killedStarts = await killStarts(folder, config, stores, random);
      await stores.copyTo(copies);
      const checked = stores.check(copies);
      const startedAtMs = performance.now();
      octet = await startOctetProcess(folder, config);
      const readyMs = Math.round(performance.now() - startedAtMs);
      await Promise.all(witnesses.map((witness) => witness.connect(octet.env)));
      const all = round % ROUNDS_BETWEEN_DRAINS === 0 || round === rounds;
      const violations = [...(await checked), ...(await verify(witnesses, all))];
      const counts = witnesses.map(
        (witness, index) => `${witness.acknowledged - before[index]!} ${witness.name}`,
      );
      console.log(
        [
          `round ${round}: killed after ${killAfterMs} ms`,
          counts.join(', '),
          `${checkpoints - checkpointsBefore} checkpoints`,
          ...killedStarts.map((when) => `killed again ${when}`),
          `ready in ${readyMs} ms`,
          violations.length === 0 ? `all there${all ? ', all read' : ''}` : `${violations.length} VIOLATIONS`,
        ].join('; '),
      );
      if (violations.length > 0) return violations;
      checkpointsBefore = checkpoints;
    }
    return [];
  } finally {
    for (const witness of witnesses) witness.abandon();
    await octet.kill();
  }
}

/** Kills none, one or several starts. @returns when */
async function killStarts(
  folder: string,
  config: OctetInput,
  stores: Stores,
  random: SeededRandom,
): Promise<string[]> {
  const killed: string[] = [];
  while (random.below(KILLED_RESTARTS) === 0) {
    const recovers = random.below(2) === 0;
    const afterMs = random.below(recovers ? KILL_RECOVERY_WITHIN_MS : KILL_RESTART_WITHIN_MS);
    await startAndKill(folder, config, () => (recovers ? stores.opening(afterMs) : setTimeout(afterMs)));
    killed.push(`${afterMs} ms into ${recovers ? 'recovery' : 'the start'}`);
  }
  return killed;
}

/** @throws what a witness met while the server still lived */
async function loadAndKill(
  octet: OctetProcess,
  witnesses: readonly Witness[],
  afterMs: number,
): Promise<void> {
  const killed = new AbortController();
  const loads = Promise.all(witnesses.map((witness) => witness.load(killed.signal)));
  const timer = globalThis.setTimeout(() => {
    process.kill(octet.pid, 'SIGKILL');
    // Whatever fails from here on is the crash.
    killed.abort();
  }, afterMs);
  try {
    await loads;
  } catch (error) {
    if (!killed.signal.aborted)
      throw new Error(`under load: ${String(error)}\n${octet.output}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await octet.kill();
    for (const witness of witnesses) witness.abandon();
  }
}

async function verify(witnesses: readonly Witness[], all: boolean): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = globalThis.setTimeout(
    () => late.reject(new Error('looking took too long')),
    VERIFY_TIMEOUT_MS,
  );
  try {
    const looks = Promise.all(witnesses.map((witness) => witness.verify(all)));
    return (await Promise.race([looks, late.promise])).flat();
  } finally {
    clearTimeout(timer);
  }
}

function configuration(services: readonly ServiceName[], random: SeededRandom): OctetInput {
  const { mail } = EPHEMERAL_PORTS;
  const storage = random.below(ROUNDS_OF_USUAL_BOUNDS) === 0 ? {} : SMALL_BOUNDS;
  return {
    ...EPHEMERAL_PORTS,
    services: [...services],
    storage,
    mail: { ...mail, domains: ['crash.test'] },
  };
}

function chosen(): string[] {
  const names = values.only.split(',');
  const unknown = names.find((name) => !(name in WITNESSES));
  if (unknown !== undefined) stop(`--only takes ${Object.keys(WITNESSES).join(', ')}; not "${unknown}"`);
  return names;
}

function wholeNumber(option: 'rounds' | 'seed' | 'recovery'): number {
  const text = values[option] ?? '';
  if (!/^\d{1,9}$/.test(text)) stop(`--${option} takes a whole number, not "${text}"`);
  return Number(text);
}

function stop(message: string): never {
  console.error(`crash: ${message}`);
  process.exit(2);
}
