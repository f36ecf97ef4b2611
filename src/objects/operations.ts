/**
 * Where wire and engine meet: for each operation how its request is decoded, run, and answered.
 * One row per operation, in the order of their names.
 */
import type { Engine, IncomingBody } from './engine/engine.ts';
import { abortMultipartUpload } from './engine/operations/abort-multipart-upload.ts';
import { getBucketConfiguration } from './engine/operations/bucket-configuration.ts';
import { completeMultipartUpload } from './engine/operations/complete-multipart-upload.ts';
import { copyObject } from './engine/operations/copy-object.ts';
import { createBucket } from './engine/operations/create-bucket.ts';
import { createMultipartUpload } from './engine/operations/create-multipart-upload.ts';
import { deleteBucket } from './engine/operations/delete-bucket.ts';
import { deleteObject } from './engine/operations/delete-object.ts';
import { deleteObjects } from './engine/operations/delete-objects.ts';
import { readObject } from './engine/operations/get-object.ts';
import { getObjectAttributes } from './engine/operations/get-object-attributes.ts';
import { headBucket } from './engine/operations/head-bucket.ts';
import { listBuckets } from './engine/operations/list-buckets.ts';
import { listMultipartUploads } from './engine/operations/list-multipart-uploads.ts';
import { listObjects } from './engine/operations/list-objects.ts';
import { listParts } from './engine/operations/list-parts.ts';
import { getObjectConfiguration } from './engine/operations/object-configuration.ts';
import { putObject } from './engine/operations/put-object.ts';
import { uploadPart } from './engine/operations/upload-part.ts';
import { uploadPartCopy } from './engine/operations/upload-part-copy.ts';
import type { S3Request, S3Response } from './wire/message.ts';
import {
  decodeAbortMultipartUpload,
  encodeAbortMultipartUpload,
} from './wire/operations/abort-multipart-upload.ts';
import {
  decodeBucketConfiguration,
  encodeBucketConfiguration,
} from './wire/operations/bucket-configuration.ts';
import {
  decodeCompleteMultipartUpload,
  encodeCompleteMultipartUpload,
} from './wire/operations/complete-multipart-upload.ts';
import { decodeCopyObject, encodeCopyObject } from './wire/operations/copy-object.ts';
import { decodeCreateBucket, encodeCreateBucket } from './wire/operations/create-bucket.ts';
import {
  decodeCreateMultipartUpload,
  encodeCreateMultipartUpload,
} from './wire/operations/create-multipart-upload.ts';
import { decodeDeleteBucket, encodeDeleteBucket } from './wire/operations/delete-bucket.ts';
import { decodeDeleteObject, encodeDeleteObject } from './wire/operations/delete-object.ts';
import { decodeDeleteObjects, encodeDeleteObjects } from './wire/operations/delete-objects.ts';
import { encodeGetBucketLocation } from './wire/operations/get-bucket-location.ts';
import { decodeReadObject, encodeReadObject } from './wire/operations/get-object.ts';
import {
  decodeGetObjectAttributes,
  encodeGetObjectAttributes,
} from './wire/operations/get-object-attributes.ts';
import { decodeHeadBucket, encodeHeadBucket } from './wire/operations/head-bucket.ts';
import { decodeListBuckets, encodeListBuckets } from './wire/operations/list-buckets.ts';
import {
  decodeListMultipartUploads,
  encodeListMultipartUploads,
} from './wire/operations/list-multipart-uploads.ts';
import {
  decodeListObjects,
  decodeListObjectsV2,
  decodeListObjectVersions,
  encodeListObjects,
  encodeListObjectsV2,
  encodeListObjectVersions,
} from './wire/operations/list-objects.ts';
import { decodeListParts, encodeListParts } from './wire/operations/list-parts.ts';
import {
  decodeObjectConfiguration,
  encodeObjectConfiguration,
} from './wire/operations/object-configuration.ts';
import { decodePutObject, encodePutObject } from './wire/operations/put-object.ts';
import { decodeUploadPart, encodeUploadPart } from './wire/operations/upload-part.ts';
import { decodeUploadPartCopy, encodeUploadPartCopy } from './wire/operations/upload-part-copy.ts';
import type { OperationName } from './wire/route.ts';

/** `none`: ignored; `document`: read whole before decoding; `stream`: for the operation to read. */
export type BodyUse = 'none' | 'document' | 'stream';

export interface Operation {
  readonly body: BodyUse;
  /** @throws S3Error */
  answer(engine: Engine, request: S3Request, body: IncomingBody): Promise<S3Response>;
}

interface Row<Input, Result> {
  readonly body?: BodyUse;
  readonly decode: (request: S3Request) => Input;
  readonly run: (engine: Engine, input: Input, body: IncomingBody) => Result | Promise<Result>;
  readonly encode: (result: Result, request: S3Request) => S3Response;
}

function operation<Input, Result>({ body, decode, run, encode }: Row<Input, Result>): Operation {
  return {
    body: body ?? 'none',
    answer: async (engine, request, incoming) =>
      encode(await run(engine, decode(request), incoming), request),
  };
}

/** GET and HEAD: a reader that was opened is let go when no answer comes of it. */
function reading(withBody: boolean): Operation {
  return {
    body: 'none',
    answer: async (engine, request) => {
      const { result, reader } = readObject(engine, decodeReadObject(request), withBody);
      try {
        return encodeReadObject(result, request);
      } catch (thrown) {
        reader?.release();
        throw thrown;
      }
    },
  };
}

export const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  AbortMultipartUpload: operation({
    decode: decodeAbortMultipartUpload,
    run: abortMultipartUpload,
    encode: encodeAbortMultipartUpload,
  }),
  CompleteMultipartUpload: operation({
    body: 'document',
    decode: decodeCompleteMultipartUpload,
    run: completeMultipartUpload,
    encode: encodeCompleteMultipartUpload,
  }),
  CopyObject: operation({ decode: decodeCopyObject, run: copyObject, encode: encodeCopyObject }),
  CreateBucket: operation({
    body: 'document',
    decode: decodeCreateBucket,
    run: createBucket,
    encode: encodeCreateBucket,
  }),
  CreateMultipartUpload: operation({
    decode: decodeCreateMultipartUpload,
    run: createMultipartUpload,
    encode: encodeCreateMultipartUpload,
  }),
  DeleteBucket: operation({ decode: decodeDeleteBucket, run: deleteBucket, encode: encodeDeleteBucket }),
  DeleteObject: operation({ decode: decodeDeleteObject, run: deleteObject, encode: encodeDeleteObject }),
  DeleteObjects: operation({
    body: 'document',
    decode: decodeDeleteObjects,
    run: deleteObjects,
    encode: encodeDeleteObjects,
  }),
  GetBucketConfiguration: operation({
    decode: decodeBucketConfiguration,
    run: getBucketConfiguration,
    encode: encodeBucketConfiguration,
  }),
  GetBucketLocation: operation({
    decode: decodeHeadBucket,
    run: headBucket,
    encode: encodeGetBucketLocation,
  }),
  GetObject: reading(true),
  GetObjectAttributes: operation({
    decode: decodeGetObjectAttributes,
    run: getObjectAttributes,
    encode: encodeGetObjectAttributes,
  }),
  GetObjectConfiguration: operation({
    decode: decodeObjectConfiguration,
    run: getObjectConfiguration,
    encode: encodeObjectConfiguration,
  }),
  HeadBucket: operation({ decode: decodeHeadBucket, run: headBucket, encode: encodeHeadBucket }),
  HeadObject: reading(false),
  ListBuckets: operation({ decode: decodeListBuckets, run: listBuckets, encode: encodeListBuckets }),
  ListMultipartUploads: operation({
    decode: decodeListMultipartUploads,
    run: listMultipartUploads,
    encode: encodeListMultipartUploads,
  }),
  ListObjectVersions: operation({
    decode: decodeListObjectVersions,
    run: listObjects,
    encode: encodeListObjectVersions,
  }),
  ListObjects: operation({ decode: decodeListObjects, run: listObjects, encode: encodeListObjects }),
  ListObjectsV2: operation({ decode: decodeListObjectsV2, run: listObjects, encode: encodeListObjectsV2 }),
  ListParts: operation({ decode: decodeListParts, run: listParts, encode: encodeListParts }),
  PutObject: operation({ body: 'stream', decode: decodePutObject, run: putObject, encode: encodePutObject }),
  UploadPart: operation({
    body: 'stream',
    decode: decodeUploadPart,
    run: uploadPart,
    encode: encodeUploadPart,
  }),
  UploadPartCopy: operation({
    decode: decodeUploadPartCopy,
    run: uploadPartCopy,
    encode: encodeUploadPartCopy,
  }),
};
