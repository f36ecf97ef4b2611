/** Objects from a byte to megabytes, in one piece and in parts, overwritten and deleted. */
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { ABSENT, Ledger } from './ledger.ts';
import { type Material, repeat, sample, type Witness } from './witness.ts';

const BUCKET = 'crash';
const LANES = 4;
const SMALL_BYTES = 50_000;
const LARGE_BYTES = 6 * 1024 * 1024;
/** The least that S3 allows. */
const PART_BYTES = 5 * 1024 * 1024;
/** Objects there before that are read whole, beside those that are new. */
const SAMPLE = 10;
/** Each lane overwrites beyond this, so that the folder stays small. */
const MAX_OBJECTS_PER_LANE = 40;

export class Objects implements Witness {
  readonly name = 'objects';
  readonly #ledger = new Ledger('object');
  readonly #material: Material;
  #client: S3Client | undefined;
  #touched = new Set<string>();

  constructor(material: Material) {
    this.#material = material;
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  async connect(env: Readonly<Record<string, string>>): Promise<void> {
    this.#client = new S3Client({
      endpoint: env['AWS_ENDPOINT_URL_S3'] ?? '',
      region: env['AWS_REGION'] ?? '',
      credentials: {
        accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      },
      forcePathStyle: true,
      // A second try would hide what a first one left behind.
      maxAttempts: 1,
    });
    await this.#client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }

  async load(signal: AbortSignal): Promise<void> {
    this.#touched = new Set();
    const lanes = Array.from({ length: LANES }, (_, lane) => lane);
    await Promise.all(lanes.map((lane) => repeat(signal, () => this.#write(lane, signal))));
  }

  freeze(): void {
    this.#ledger.freeze();
  }

  thaw(): void {
    this.#ledger.thaw();
  }

  abandon(): void {
    this.#client?.destroy();
  }

  async verify(all: boolean): Promise<string[]> {
    const found = new Map<string, string>();
    for await (const page of paginateListObjectsV2({ client: this.#client! }, { Bucket: BUCKET })) {
      for (const { Key, Size, ETag } of page.Contents ?? []) found.set(Key ?? '', `${Size} bytes ${ETag}`);
    }
    const old = [...found.keys()].filter((key) => !this.#touched.has(key));
    const looked = all ? old : sample(old, SAMPLE, this.#material.random);
    const violations = this.#ledger.settle(found);
    for (const key of new Set([...looked, ...this.#touched])) {
      const listed = found.get(key);
      const read = listed === undefined ? undefined : await this.#read(key).catch(unreadable);
      if (read !== listed) violations.push(`object ${key} is listed as ${listed} and reads as ${read}`);
    }
    return violations;
  }

  async #write(lane: number, signal: AbortSignal): Promise<void> {
    const { random } = this.#material;
    const key = `lane ${lane}/object ${random.below(MAX_OBJECTS_PER_LANE)}`;
    this.#touched.add(key);
    const dice = random.below(40);
    if (dice < 4) await this.#delete(key, signal);
    else if (dice < 6) await this.#putInParts(key, signal);
    else await this.#put(key, this.#material.size(dice < 9 ? LARGE_BYTES : SMALL_BYTES), signal);
  }

  async #put(key: string, size: number, abortSignal: AbortSignal): Promise<void> {
    const body = this.#material.bytes(size);
    const acknowledge = this.#ledger.ask(key, fingerprint(body, [body]));
    await this.#client!.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }), { abortSignal });
    acknowledge();
  }

  async #putInParts(key: string, abortSignal: AbortSignal): Promise<void> {
    const client = this.#client!;
    const place = { Bucket: BUCKET, Key: key };
    const body = this.#material.bytes(PART_BYTES + this.#material.size(LARGE_BYTES - PART_BYTES));
    const parts = partsOf(body);
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(place), { abortSignal });
    const upload = { ...place, UploadId };
    const etags = await Promise.all(
      parts.map(async (Body, index) => {
        const PartNumber = index + 1;
        const command = new UploadPartCommand({ ...upload, PartNumber, Body });
        const { ETag } = await client.send(command, { abortSignal });
        return { PartNumber, ETag };
      }),
    );
    if (this.#material.random.below(4) === 0) {
      await client.send(new AbortMultipartUploadCommand(upload), { abortSignal });
      return;
    }
    const acknowledge = this.#ledger.ask(key, fingerprint(body, parts));
    const complete = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: etags } });
    await client.send(complete, { abortSignal });
    acknowledge();
  }

  async #delete(key: string, abortSignal: AbortSignal): Promise<void> {
    const acknowledge = this.#ledger.ask(key, ABSENT);
    await this.#client!.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }), { abortSignal });
    acknowledge();
  }

  /** The fingerprint of what comes back, computed from its bytes. */
  async #read(key: string): Promise<string> {
    const { Body, ETag } = await this.#client!.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    const body = Buffer.from((await Body?.transformToByteArray()) ?? []);
    return fingerprint(body, ETag?.includes('-') ? partsOf(body) : [body]);
  }
}

function unreadable(error: unknown): string {
  return `nothing (${String(error)})`;
}

function partsOf(body: Buffer): Buffer[] {
  return [body.subarray(0, PART_BYTES), body.subarray(PART_BYTES)];
}

/** Size and ETag: the MD5 of the content, or for an upload in parts the MD5 of their MD5s and their number. */
function fingerprint(body: Buffer, parts: readonly Buffer[]): string {
  const md5s = parts.map((part) => createHash('md5').update(part).digest());
  const whole = createHash('md5').update(Buffer.concat(md5s)).digest('hex');
  const etag = parts.length === 1 ? md5s[0]?.toString('hex') : `${whole}-${parts.length}`;
  return `${body.length} bytes "${etag}"`;
}
