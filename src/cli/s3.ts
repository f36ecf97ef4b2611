/** `octet s3 ls|put|get|rm|mb`: the running object store from a shell. */
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createObjectsClient, type ObjectsClient } from '../objects/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';
import { runningEnv } from './status.ts';

const USAGE =
  's3 ls [bucket[/prefix]] | mb bucket | put file bucket/key | get bucket/key [file] | rm bucket/key';

export async function s3(words: readonly string[], flags: SettingFlags): Promise<number> {
  const run = verbOf(words);
  if (run === undefined) throw new CliError(EXIT.usage, `usage: octet ${USAGE}`);
  await using client = await connect(flags);
  return await run(client);
}

function verbOf([verb, ...rest]: readonly string[]):
  | ((client: ObjectsClient) => Promise<number>)
  | undefined {
  const [first, second] = rest;
  if (verb === 'ls' && rest.length <= 1) return (client) => list(client, first);
  if (verb === 'mb' && rest.length === 1) return (client) => makeBucket(client, first!);
  if (verb === 'put' && rest.length === 2) return (client) => put(client, first!, ...bucketAndKey(second!));
  if (verb === 'get' && (rest.length === 1 || rest.length === 2))
    return (client) => get(client, ...bucketAndKey(first!), second);
  if (verb === 'rm' && rest.length === 1) return (client) => remove(client, ...bucketAndKey(first!));
  return undefined;
}

async function makeBucket(client: ObjectsClient, bucket: string): Promise<number> {
  await client.createBucket(bucket);
  return EXIT.ok;
}

async function remove(client: ObjectsClient, bucket: string, key: string): Promise<number> {
  await client.delete(bucket, key);
  return EXIT.ok;
}

async function connect(flags: SettingFlags): Promise<ObjectsClient> {
  const endpoint = await requireUrl('AWS_ENDPOINT_URL_S3', 'objects', flags);
  const env = { ...(await runningEnv(flags).catch(() => ({}))), ...process.env } as Record<
    string,
    string | undefined
  >;
  return createObjectsClient({
    ...cliWorld(),
    endpoint,
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    region: env['AWS_REGION'] ?? 'us-east-1',
  });
}

async function list(client: ObjectsClient, where: string | undefined): Promise<number> {
  if (where === undefined) {
    for (const bucket of await client.listBuckets()) process.stdout.write(`${bucket.name}/\n`);
    return 0;
  }
  const slash = where.indexOf('/');
  const bucket = slash < 0 ? where : where.slice(0, slash);
  const prefix = slash < 0 ? '' : where.slice(slash + 1);
  let continuationToken: string | undefined;
  do {
    const page = await client.list(bucket, {
      prefix,
      ...(continuationToken === undefined ? {} : { continuationToken }),
    });
    for (const object of page.objects)
      process.stdout.write(`${String(object.sizeBytes).padStart(12)}  ${object.key}\n`);
    continuationToken = page.continuationToken;
  } while (continuationToken !== undefined);
  return 0;
}

async function put(client: ObjectsClient, file: string, bucket: string, key: string): Promise<number> {
  const info = await stat(file).catch(() => undefined);
  if (info?.isFile() !== true) throw new CliError(EXIT.failed, `s3: there is no file ${file}`);
  const { size } = info;
  const { etag } = await client.put(bucket, key, { stream: createReadStream(file), sizeBytes: size });
  process.stdout.write(`${bucket}/${key}  ${size} bytes  ${etag}\n`);
  return 0;
}

async function get(client: ObjectsClient, bucket: string, key: string, file?: string): Promise<number> {
  const object = await client.get(bucket, key);
  if (object === undefined) throw new CliError(EXIT.failed, `s3: there is no object ${bucket}/${key}`);
  await pipeline(object.body, file === undefined ? process.stdout : createWriteStream(file), {
    end: file !== undefined,
  });
  return 0;
}

function bucketAndKey(where: string): [bucket: string, key: string] {
  const slash = where.indexOf('/');
  if (slash <= 0 || slash === where.length - 1)
    throw new CliError(EXIT.usage, `s3: ${where} is not bucket/key`);
  return [where.slice(0, slash), where.slice(slash + 1)];
}
