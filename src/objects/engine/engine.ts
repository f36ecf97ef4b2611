/** What every operation is given: the storage, the time, and what the service was configured with. */
import { S3Error } from '../errors.ts';
import type { ObjectsLimits } from '../limits.ts';
import type { Checksum, ChecksumAlgorithm } from '../wire/checksums.ts';
import type { Hashing } from '../wire/hashing.ts';
import type { Bucket, Content } from './model.ts';
import type { ObjectStorage } from './storage.ts';

export interface Owner {
  readonly id: string;
  readonly displayName: string;
}

export interface Engine {
  readonly storage: ObjectStorage;
  readonly hashing: Hashing;
  readonly limits: ObjectsLimits;
  readonly region: string;
  readonly owner: Owner;
  now(): number;
  /** 32 random hexadecimal digits. */
  newId(): string;
}

/** What is known of a body once all of it came and everything claimed about it held. */
export interface BodyProof {
  readonly sizeBytes: number;
  readonly md5: Buffer;
  /** Of the algorithm that the client claims, else of the one asked for. */
  readonly checksum: Checksum;
  /** Base64, of the algorithm asked for; the same when the client claims none. */
  readonly asked: string;
}

/** The body of a request, unwrapped; bytes that turn out wrong make the iteration throw at its end. */
export interface IncomingBody {
  /** As declared beforehand, if it was. */
  readonly declaredBytes: number | undefined;
  /** The algorithm of the checksum that the client sends, if it does. */
  readonly claimedAlgorithm: ChecksumAlgorithm | undefined;
  /** @param asked the checksum to compute, beside the one that the client claims. @throws S3Error */
  read(asked: ChecksumAlgorithm): AsyncIterable<Buffer>;
  /** After `read` ended. */
  proof(): BodyProof;
}

/** @throws S3Error NoSuchBucket */
export function requireBucket(engine: Engine, name: string): Bucket {
  const bucket = engine.storage.bucket(name);
  if (bucket === undefined) {
    throw new S3Error('NoSuchBucket', undefined, { elements: { BucketName: name } });
  }
  return bucket;
}

export interface ReceivedBody {
  readonly content: Content;
  readonly proof: BodyProof;
}

/**
 * Writes the body aside. What comes back is durable and unnamed: commit it, or discard it.
 * @throws S3Error EntityTooLarge, and whatever the body's proof refuses; nothing is left behind then
 */
export async function receiveBody(
  engine: Engine,
  body: IncomingBody,
  asked: ChecksumAlgorithm,
): Promise<ReceivedBody> {
  if ((body.declaredBytes ?? 0) > engine.limits.maxPutBytes) throw entityTooLarge(engine, body.declaredBytes);
  const writer = engine.storage.newBody();
  let sizeBytes = 0;
  try {
    for await (const bytes of body.read(asked)) {
      sizeBytes += bytes.length;
      if (sizeBytes > engine.limits.maxPutBytes) throw entityTooLarge(engine, undefined);
      await writer.write(bytes);
    }
    const proof = body.proof();
    return { content: await writer.finish(), proof };
  } catch (thrown) {
    await writer.abort();
    throw thrown;
  }
}

function entityTooLarge(engine: Engine, sizeBytes: number | undefined): S3Error {
  return new S3Error('EntityTooLarge', undefined, {
    elements: {
      ...(sizeBytes === undefined ? {} : { ProposedSize: String(sizeBytes) }),
      MaxSizeAllowed: String(engine.limits.maxPutBytes),
    },
  });
}
