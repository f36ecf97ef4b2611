import { S3Error } from '../../errors.ts';
import { type Span, spanOfRange } from '../../wire/byte-range.ts';
import type { Checksum } from '../../wire/checksums.ts';
import { evaluateConditions, rangeHolds } from '../../wire/conditions.ts';
import type { ReadObjectInput, ReadObjectResult } from '../../wire/operations/get-object.ts';
import { type Engine, requireBucket } from '../engine.ts';
import { type StoredObject, sliceContent } from '../model.ts';
import type { BodyReader } from '../storage.ts';
import { preconditionFailed } from '../write-conditions.ts';

/** @throws S3Error NoSuchBucket, NoSuchKey */
export function requireObject(engine: Engine, bucket: string, key: string): StoredObject {
  requireBucket(engine, bucket);
  const object = engine.storage.object(bucket, key);
  if (object === undefined) throw new S3Error('NoSuchKey', undefined, { elements: { Key: key } });
  return object;
}

export interface OpenedObject {
  readonly result: ReadObjectResult;
  /** To be released when the answer is over, however it ends. */
  readonly reader: BodyReader | undefined;
}

/** @param withBody false for HEAD */
export function readObject(engine: Engine, input: ReadObjectInput, withBody: boolean): OpenedObject {
  const object = requireObject(engine, input.bucket, input.key);
  const { etag, modifiedMs, sizeBytes } = object;
  const verdict = evaluateConditions(input.conditions, object);
  if (verdict === 412) throw preconditionFailed(failedCondition(input));
  if (verdict === 304) {
    return { result: { kind: 'not-modified', etag, modifiedMs }, reader: undefined };
  }
  const span = spanOf(input, object, engine.now());
  const reader = withBody ? openSpan(engine, object, span) : undefined;
  const result: ReadObjectResult = {
    kind: 'object',
    etag,
    modifiedMs,
    sizeBytes,
    fields: object,
    checksum: checksumOf(input, object, span),
    span,
    partsCount: input.partNumber === undefined ? undefined : object.parts?.length,
    body: reader,
  };
  return { result, reader };
}

function failedCondition({ conditions }: ReadObjectInput): string {
  return conditions.has('if-match') ? 'If-Match' : 'If-Unmodified-Since';
}

function openSpan(engine: Engine, object: StoredObject, span: Span | undefined): BodyReader {
  const content = span === undefined ? object.content : sliceContent(object.content, span.start, span.end);
  return engine.storage.openBody(content);
}

/** @throws S3Error InvalidRange, InvalidPartNumber */
function spanOf(input: ReadObjectInput, object: StoredObject, nowMs: number): Span | undefined {
  if (input.partNumber !== undefined) return spanOfPart(input.partNumber, object);
  const asked = spanOfRange(input.range, object.sizeBytes);
  if (asked === 'whole' || !rangeHolds(input.conditions, object, nowMs)) return undefined;
  if (asked !== 'unsatisfiable') return asked;
  throw new S3Error('InvalidRange', undefined, {
    elements: { ActualObjectSize: String(object.sizeBytes) },
  });
}

/** Of what is sent: the whole, or a part. There is none of any other range. */
function checksumOf(
  { partNumber }: ReadObjectInput,
  { checksum, parts, sizeBytes }: StoredObject,
  span: Span | undefined,
): Checksum | undefined {
  if (partNumber !== undefined && parts !== undefined) {
    const value = parts[partNumber - 1]?.checksum;
    return checksum === undefined || value === undefined ? undefined : { ...checksum, value };
  }
  return span === undefined || span.end - span.start === sizeBytes ? checksum : undefined;
}

/** An object of one PUT has one part, itself. */
function spanOfPart(partNumber: number, object: StoredObject): Span | undefined {
  const parts = object.parts ?? [{ sizeBytes: object.sizeBytes }];
  const part = parts[partNumber - 1];
  if (part === undefined) {
    throw new S3Error('InvalidPartNumber', undefined, {
      elements: { ActualPartCount: String(parts.length), PartNumberRequested: String(partNumber) },
    });
  }
  if (part.sizeBytes === 0) return undefined;
  const start = parts.slice(0, partNumber - 1).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { start, end: start + part.sizeBytes };
}
