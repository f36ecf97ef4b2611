/** Hashes: fields and values under one key. */
import { failure, wrongArity } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { addFloats, addIntegers, integer, parseFloatStrict, parseInteger } from '../numbers.ts';
import { scanPlaces } from '../values/dense-set.ts';
import { HashValue } from '../values/value.ts';
import { parseDraw } from './random-draw.ts';
import { parseScan } from './scan-arguments.ts';

function setFields(call: Call): number {
  const { db, args, command } = call;
  if (args.length % 2 !== 0) throw wrongArity(command.name);
  const entry = db.openAs(args[1]!, HashValue);
  let added = 0;
  for (let i = 2; i < args.length; i += 2) if (entry.value.set(args[i]!, args[i + 1]!)) added++;
  db.changed(entry, 'h', 'hset');
  return added;
}

function hset(call: Call): void {
  call.reply.integer(setFields(call));
}

function hmset(call: Call): void {
  setFields(call);
  call.reply.ok();
}

function hsetnx({ db, args, reply }: Call): void {
  const entry = db.openAs(args[1]!, HashValue);
  const isNew = entry.value.get(args[2]!) === undefined;
  if (isNew) {
    entry.value.set(args[2]!, args[3]!);
    db.changed(entry, 'h', 'hset');
  }
  reply.integer(isNew ? 1 : 0);
}

function hget({ db, args, reply }: Call): void {
  reply.bulkOrNil(db.readAs(args[1]!, HashValue)?.get(args[2]!));
}

function hmget({ db, args, reply }: Call): void {
  const hash = db.readAs(args[1]!, HashValue);
  reply.array(args.length - 2);
  for (let i = 2; i < args.length; i++) reply.bulkOrNil(hash?.get(args[i]!));
}

function hdel({ db, args, reply }: Call): void {
  const entry = db.findAs(args[1]!, HashValue);
  let deleted = 0;
  if (entry !== undefined) {
    for (let i = 2; i < args.length; i++) if (entry.value.delete(args[i]!)) deleted++;
    if (deleted > 0) db.changed(entry, 'h', 'hdel');
  }
  reply.integer(deleted);
}

function hexists({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, HashValue)?.get(args[2]!) === undefined ? 0 : 1);
}

function hlen({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, HashValue)?.size ?? 0);
}

function hstrlen({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, HashValue)?.get(args[2]!)?.length ?? 0);
}

function hgetall({ db, args, reply }: Call): void {
  const hash = db.readAs(args[1]!, HashValue);
  reply.map(hash?.size ?? 0);
  hash?.fields.keys.forEach((field, i) => {
    reply.bulk(field);
    reply.bulk(hash.fields.values[i]!);
  });
}

function hkeys({ db, args, reply }: Call): void {
  reply.bulks(db.readAs(args[1]!, HashValue)?.fields.keys ?? []);
}

function hvals({ db, args, reply }: Call): void {
  reply.bulks(db.readAs(args[1]!, HashValue)?.fields.values ?? []);
}

function hincrby({ db, args, reply }: Call): void {
  const by = integer(args[3]!);
  const before = parseInteger(db.findAs(args[1]!, HashValue)?.value.get(args[2]!) ?? '0');
  if (before === undefined) throw failure('hash value is not an integer');
  const sum = addIntegers(before, by);
  const entry = db.openAs(args[1]!, HashValue);
  entry.value.set(args[2]!, String(sum));
  db.changed(entry, 'h', 'hincrby');
  reply.integer(sum);
}

function hincrbyfloat({ db, args, reply }: Call): void {
  if (parseFloatStrict(args[3]!) === undefined) throw failure('value is not a valid float');
  const before = db.findAs(args[1]!, HashValue)?.value.get(args[2]!) ?? '0';
  if (parseFloatStrict(before) === undefined) throw failure('hash value is not a float');
  const sum = addFloats(before, args[3]!);
  const entry = db.openAs(args[1]!, HashValue);
  entry.value.set(args[2]!, sum);
  db.changed(entry, 'h', 'hincrbyfloat');
  reply.bulk(sum);
}

function hrandfield({ db, args, reply, engine }: Call): void {
  const draw = parseDraw(args, 2, 'withvalues');
  const hash = db.readAs(args[1]!, HashValue);
  if (draw === undefined) {
    reply.bulkOrNil(hash?.fields.keys[engine.options.random.below(Math.max(1, hash.size))]);
    return;
  }
  const places = hash === undefined ? [] : draw.places(hash.size, engine.options.random);
  const nested = draw.withMore && reply.protocol === 3;
  reply.array(draw.withMore && !nested ? places.length * 2 : places.length);
  for (const place of places) {
    if (nested) reply.array(2);
    reply.bulk(hash!.fields.keys[place]!);
    if (draw.withMore) reply.bulk(hash!.fields.values[place]!);
  }
}

function hscan({ db, args, reply }: Call): void {
  const withoutValues = args.at(-1)!.toLowerCase() === 'novalues';
  const { cursor, count, matches } = parseScan(withoutValues ? args.slice(0, -1) : args, 2);
  const hash = db.readAs(args[1]!, HashValue);
  const whole = hash === undefined || hash.encoding === 'listpack';
  const step = scanPlaces(hash?.size ?? 0, cursor, whole ? Number.POSITIVE_INFINITY : count);
  const found: string[] = [];
  for (const place of whole ? [...step.visited].reverse() : step.visited) {
    const field = hash!.fields.keys[place]!;
    if (!matches(field)) continue;
    found.push(field);
    if (!withoutValues) found.push(hash!.fields.values[place]!);
  }
  reply.array(2);
  reply.bulk(String(step.cursor));
  reply.bulks(found);
}

const READ = ['readonly', 'fast'] as const;
const WRITE = ['write', 'denyoom', 'fast'] as const;

function row(
  name: string,
  arity: number,
  since: string,
  flags: Command['flags'],
  summary: string,
  run: Command['run'],
): Command {
  return { name, arity, flags, group: 'hash', since, keys: [1, 1, 1], summary, run };
}

export const HASH_COMMANDS: readonly Command[] = [
  row('hset', -4, '2.0.0', WRITE, 'Sets fields of a hash.', hset),
  row('hmset', -4, '2.0.0', WRITE, 'Sets fields of a hash. The old form of HSET.', hmset),
  row('hsetnx', 4, '2.0.0', WRITE, 'Sets a field of a hash only when it does not exist.', hsetnx),
  row('hget', 3, '2.0.0', READ, 'Returns the value of a field.', hget),
  row('hmget', -3, '2.0.0', READ, 'Returns the values of several fields.', hmget),
  row('hdel', -3, '2.0.0', ['write', 'fast'], 'Deletes fields of a hash.', hdel),
  row('hexists', 3, '2.0.0', READ, 'Tells whether a field exists.', hexists),
  row('hlen', 2, '2.0.0', READ, 'Returns the number of fields.', hlen),
  row('hstrlen', 3, '3.2.0', READ, 'Returns the length of the value of a field.', hstrlen),
  row('hgetall', 2, '2.0.0', ['readonly'], 'Returns all fields and values.', hgetall),
  row('hkeys', 2, '2.0.0', ['readonly'], 'Returns all fields.', hkeys),
  row('hvals', 2, '2.0.0', ['readonly'], 'Returns all values.', hvals),
  row('hincrby', 4, '2.0.0', WRITE, 'Adds to the integer value of a field.', hincrby),
  row('hincrbyfloat', 4, '2.6.0', WRITE, 'Adds to the decimal value of a field.', hincrbyfloat),
  row('hrandfield', -2, '6.2.0', ['readonly'], 'Returns fields at random.', hrandfield),
  row('hscan', -3, '2.8.0', ['readonly'], 'Walks over the fields of a hash.', hscan),
];
