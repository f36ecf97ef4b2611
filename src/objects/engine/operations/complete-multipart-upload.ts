import { S3Error } from '../../errors.ts';
import type { Checksum } from '../../wire/checksums.ts';
import type {
  CompletedPart,
  CompleteMultipartUploadInput,
  CompleteMultipartUploadResult,
} from '../../wire/operations/complete-multipart-upload.ts';
import { combineCrcs } from '../crc-combination.ts';
import { type Engine, requireBucket } from '../engine.ts';
import type { Part, StoredObject, Upload } from '../model.ts';
import { requireWriteConditions } from '../write-conditions.ts';
import { requireUpload } from './upload-part.ts';

/**
 * One commit: the object names the bodies of its parts, the upload and all parts go. No byte is moved.
 * A client whose answer was lost repeats the request and gets the same answer.
 */
export async function completeMultipartUpload(
  engine: Engine,
  input: CompleteMultipartUploadInput,
): Promise<CompleteMultipartUploadResult> {
  const { storage } = engine;
  const { bucket, key, uploadId } = input;
  const repeated = completedBefore(engine, input);
  if (repeated !== undefined) return repeated;
  const upload = requireUpload(engine, bucket, key, uploadId);
  const parts = requireParts(engine, upload, input);
  requireWriteConditions(input.conditions, storage.object(bucket, key));
  const object = assemble(engine, upload, parts);
  requireClaims(input, object);
  await storage.commit([
    { kind: 'put-object', bucket, key, object },
    { kind: 'delete-upload', upload },
  ]);
  return { etag: object.etag, checksum: object.checksum };
}

function completedBefore(
  engine: Engine,
  { bucket, key, uploadId }: CompleteMultipartUploadInput,
): CompleteMultipartUploadResult | undefined {
  requireBucket(engine, bucket);
  const object = engine.storage.object(bucket, key);
  if (object === undefined || object.uploadId !== uploadId) return undefined;
  return { etag: object.etag, checksum: object.checksum };
}

function requireParts(engine: Engine, upload: Upload, input: CompleteMultipartUploadInput): Part[] {
  const ascending = input.parts.every(({ number }, index) => number > (input.parts[index - 1]?.number ?? 0));
  if (!ascending) throw new S3Error('InvalidPartOrder');
  const parts = input.parts.map((named) => requirePart(engine, upload, named));
  const small = parts.slice(0, -1).find(({ sizeBytes }) => sizeBytes < engine.limits.minPartBytes);
  if (small !== undefined) throw entityTooSmall(engine, small);
  return parts;
}

function requirePart(engine: Engine, upload: Upload, named: CompletedPart): Part {
  const part = engine.storage.part(upload.id, named.number);
  const matches =
    part !== undefined &&
    part.etag === named.etag &&
    named.checksums.every(({ algorithm, value }) => value === checksumOf(part, upload, algorithm));
  if (matches) return part;
  throw new S3Error('InvalidPart', undefined, {
    elements: { UploadId: upload.id, PartNumber: String(named.number), ETag: named.etag },
  });
}

/** As it was computed here or sent; undefined when nobody knows it. */
function checksumOf(part: Part, upload: Upload, algorithm: string): string | undefined {
  if (algorithm === upload.algorithm) return part.checksum;
  return part.sent?.algorithm === algorithm ? part.sent.value : undefined;
}

function entityTooSmall(engine: Engine, part: Part): S3Error {
  return new S3Error('EntityTooSmall', undefined, {
    elements: {
      ProposedSize: String(part.sizeBytes),
      MinSizeAllowed: String(engine.limits.minPartBytes),
      PartNumber: String(part.number),
      ETag: part.etag,
    },
  });
}

function assemble(engine: Engine, upload: Upload, parts: readonly Part[]): StoredObject {
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes > engine.limits.maxObjectBytes) throw new S3Error('EntityTooLarge');
  return {
    system: upload.system,
    metadata: upload.metadata,
    etag: `${digestOfDigests(
      engine,
      'MD5',
      parts.map(({ etag }) => Buffer.from(etag, 'hex')),
    ).toString('hex')}-${parts.length}`,
    sizeBytes,
    modifiedMs: engine.now(),
    checksum: wholeChecksum(engine, upload, parts),
    content: parts.flatMap(({ content }) => content),
    parts: parts.map((part) => ({ sizeBytes: part.sizeBytes, checksum: part.checksum })),
    uploadId: upload.id,
  };
}

function wholeChecksum(
  engine: Engine,
  { algorithm, checksumType }: Upload,
  parts: readonly Part[],
): Checksum {
  const crcs = parts.map(({ checksum, sizeBytes }) => ({ crc: Buffer.from(checksum, 'base64'), sizeBytes }));
  if (checksumType === 'FULL_OBJECT') {
    return { algorithm, type: checksumType, value: combineCrcs(algorithm, crcs).toString('base64') };
  }
  const digest = digestOfDigests(
    engine,
    algorithm,
    crcs.map(({ crc }) => crc),
  );
  return { algorithm, type: checksumType, value: `${digest.toString('base64')}-${parts.length}` };
}

function digestOfDigests(
  { hashing }: Engine,
  algorithm: Parameters<Engine['hashing']['start']>[0],
  digests: readonly Buffer[],
): Buffer {
  const hash = hashing.start(algorithm);
  for (const digest of digests) hash.update(digest);
  return hash.digest();
}

/** @throws S3Error BadDigest, InvalidRequest */
function requireClaims({ claimed, sizeBytes }: CompleteMultipartUploadInput, object: StoredObject): void {
  if (sizeBytes !== undefined && sizeBytes !== object.sizeBytes) {
    throw new S3Error(
      'InvalidRequest',
      `The provided 'x-amz-mp-object-size' header value ${sizeBytes} does not match what was computed: ${object.sizeBytes}`,
    );
  }
  const { checksum } = object;
  if (claimed === undefined || checksum === undefined) return;
  if (claimed.algorithm === checksum.algorithm && claimed.value === checksum.value) return;
  throw new S3Error(
    'BadDigest',
    `The ${claimed.algorithm} you specified did not match the calculated checksum.`,
  );
}
