/**
 * npm run crash -- --rounds N [--seed S] [--only rows,messages,objects,mails]
 *
 * `octet up` on a folder, under a load of transactions, confirmed messages, objects and mails, is killed (SIGKILL)
 * at a random moment and started again on the same folder, N times. Each time everything that was acknowledged
 * has to be there, whole, and nothing may be there that was never written. Some restarts are killed as well,
 * while they recover.
 *
 * What a kill cannot show is a disk that lost what was not synced: the system still has it. That is shown by
 * `npm run simulate`.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
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
import { Rows } from './rows.ts';
import { Material, type Witness } from './witness.ts';

const WITNESSES: Readonly<Record<string, { service: ServiceName; create: (material: Material) => Witness }>> =
  {
    rows: { service: 'database', create: (material) => new Rows(material) },
    messages: { service: 'queue', create: (material) => new Messages(material) },
    objects: { service: 'objects', create: (material) => new Objects(material) },
    mails: { service: 'mail', create: (material) => new Mails(material) },
  };

/** After the start of the load. */
const KILL_AFTER_MS = { least: 50, most: 1_500 };
/** One restart in so many is killed as well. */
const KILLED_RESTARTS = 5;
const KILL_RESTART_WITHIN_MS = 1_000;
/** Messages are taken, and everything is read whole, every so many rounds and in the last. */
const ROUNDS_BETWEEN_DRAINS = 5;
const VERIFY_TIMEOUT_MS = 300_000;
const MAX_PRINTED = 10;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1_000_000)) },
    only: { type: 'string', default: Object.keys(WITNESSES).join(',') },
  },
});
process.exitCode = await main(wholeNumber('rounds'), wholeNumber('seed'), chosen());

async function main(rounds: number, seed: number, names: readonly string[]): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-crash-'));
  exitOnSignals(() => rmSync(folder, { recursive: true, force: true }));
  const material = new Material(seed);
  const witnesses = names.map((name) => WITNESSES[name]!.create(material));
  const config = configuration(names.map((name) => WITNESSES[name]!.service));
  console.log(`crash: seed ${seed}, ${names.join(', ')}`);
  const violations = await runRounds(rounds, folder, config, witnesses, material.random).catch(
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
  config: OctetInput,
  witnesses: readonly Witness[],
  random: SeededRandom,
): Promise<string[]> {
  let octet = await startOctetProcess(folder, config);
  try {
    await Promise.all(witnesses.map((witness) => witness.connect(octet.env)));
    for (let round = 1; round <= rounds; round++) {
      const killAfterMs = KILL_AFTER_MS.least + random.below(KILL_AFTER_MS.most - KILL_AFTER_MS.least);
      const before = witnesses.map((witness) => witness.acknowledged);
      await loadAndKill(octet, witnesses, killAfterMs);
      const killedRestart = random.below(KILLED_RESTARTS) === 0;
      if (killedRestart) await startAndKill(folder, config, random.below(KILL_RESTART_WITHIN_MS));
      const startedAtMs = performance.now();
      octet = await startOctetProcess(folder, config);
      const readyMs = Math.round(performance.now() - startedAtMs);
      await Promise.all(witnesses.map((witness) => witness.connect(octet.env)));
      const all = round % ROUNDS_BETWEEN_DRAINS === 0 || round === rounds;
      const violations = await verify(witnesses, all);
      const counts = witnesses.map(
        (witness, index) => `${witness.acknowledged - before[index]!} ${witness.name}`,
      );
      console.log(
        [
          `round ${round}: killed after ${killAfterMs} ms`,
          counts.join(', '),
          ...(killedRestart ? ['killed again while starting'] : []),
          `ready in ${readyMs} ms`,
          violations.length === 0 ? `all there${all ? ', all read' : ''}` : `${violations.length} VIOLATIONS`,
        ].join('; '),
      );
      if (violations.length > 0) return violations;
    }
    return [];
  } finally {
    for (const witness of witnesses) witness.abandon();
    await octet.kill();
  }
}

/** @throws what a witness met while the server still lived */
async function loadAndKill(
  octet: OctetProcess,
  witnesses: readonly Witness[],
  afterMs: number,
): Promise<void> {
  const killed = new AbortController();
  const loads = Promise.all(witnesses.map((witness) => witness.load(killed.signal)));
  const timer = setTimeout(() => {
    process.kill(octet.pid, 'SIGKILL');
    // Whatever fails from here on is the crash.
    killed.abort();
  }, afterMs);
  try {
    await loads;
  } catch (error) {
    throw new Error(`under load: ${String(error)}\n${octet.output}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await octet.kill();
    for (const witness of witnesses) witness.abandon();
  }
}

async function verify(witnesses: readonly Witness[], all: boolean): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('looking took too long')), VERIFY_TIMEOUT_MS);
  try {
    const looks = Promise.all(witnesses.map((witness) => witness.verify(all)));
    return (await Promise.race([looks, late.promise])).flat();
  } finally {
    clearTimeout(timer);
  }
}

function configuration(services: readonly ServiceName[]): OctetInput {
  const { mail } = EPHEMERAL_PORTS;
  return {
    ...EPHEMERAL_PORTS,
    services: [...services],
    mail: { ...mail, domains: ['crash.test'] },
  };
}

function chosen(): string[] {
  const names = values.only.split(',');
  const unknown = names.find((name) => !(name in WITNESSES));
  if (unknown !== undefined) stop(`--only takes ${Object.keys(WITNESSES).join(', ')}; not "${unknown}"`);
  return names;
}

function wholeNumber(option: 'rounds' | 'seed'): number {
  const text = values[option];
  if (!/^\d{1,9}$/.test(text)) stop(`--${option} takes a whole number, not "${text}"`);
  return Number(text);
}

function stop(message: string): never {
  console.error(`crash: ${message}`);
  process.exit(2);
}
