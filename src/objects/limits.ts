/**
 * Every bound of the object store: unit in the name, default, reason, and what S3 itself has.
 * Figures of S3 are from "Amazon S3 multipart upload limits" and the API reference.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export interface ObjectsLimits {
  /** Connections at one time. S3 has no published figure; nginx defaults to 512 per worker. */
  readonly maxConnections: number;
  /** Request line and fields together; also bounds a presigned URL. S3: 8 KiB of request headers. */
  readonly maxHeaderBytes: number;
  /** The longest object by one PUT. S3: 5 GiB. */
  readonly maxPutBytes: number;
  /** The longest object by multipart upload. S3: 5 TiB for most of its life. */
  readonly maxObjectBytes: number;
  /** The shortest part that is not the last. S3: 5 MiB. */
  readonly minPartBytes: number;
  /** The highest part number. S3: 10,000. */
  readonly maxPartNumber: number;
  /** Uploads begun and neither completed nor aborted, per bucket. S3: none; here each costs store space. */
  readonly maxOpenUploads: number;
  /** An open upload older than this is aborted. S3: for ever unless a lifecycle rule says so. */
  readonly uploadLifetimeMs: number;
  /** Buckets in all. S3: 100 by default for most of its life, 10,000 now. */
  readonly maxBuckets: number;
  /** An object up to this size lies in the store, written by the same group commit as its metadata; a longer
   * one is a blob of its own. MinIO inlines up to 128 KiB. */
  readonly inlineBytes: number;
  /** An XML request body. 10,000 parts with a checksum each are 1.3 MiB; S3 documents 2 MB for DeleteObjects. */
  readonly maxDocumentBytes: number;
  /** No byte of a request body for this long ends the request with RequestTimeout. S3: about 20 s. */
  readonly bodyIdleTimeoutMs: number;
  /** A connection without a request for this long is closed. S3: about 60 s or 100 requests. */
  readonly idleTimeoutMs: number;
  /** From the first byte of a request to the end of its head. nginx: 60 s. */
  readonly headTimeoutMs: number;
}

export const DEFAULT_OBJECTS_LIMITS: ObjectsLimits = {
  maxConnections: 4096,
  maxHeaderBytes: 16 * KiB,
  maxPutBytes: 5 * GiB,
  maxObjectBytes: 5 * 1024 * GiB,
  minPartBytes: 5 * MiB,
  maxPartNumber: 10_000,
  maxOpenUploads: 1000,
  uploadLifetimeMs: 7 * 24 * 3600 * 1000,
  maxBuckets: 1000,
  inlineBytes: 16 * KiB,
  maxDocumentBytes: 4 * MiB,
  bodyIdleTimeoutMs: 20_000,
  idleTimeoutMs: 60_000,
  headTimeoutMs: 10_000,
};

/** Bounds that are part of the protocol: S3 has exactly these, and clients count on them. */
export const PROTOCOL_LIMITS = {
  /** UTF-8 bytes of a key. */
  keyBytes: 1024,
  /** Names and values of all x-amz-meta-* fields together. */
  metadataBytes: 2 * KiB,
  /** Keys of one listing page, and of one DeleteObjects. */
  listKeys: 1000,
  deleteKeys: 1000,
  /** Buckets of one ListBuckets page. */
  listBuckets: 10_000,
  /** Header authentication: how far the request's time may be from ours, both ways. */
  clockSkewMs: 15 * 60 * 1000,
  /** Presigned URLs: the longest life. */
  presignSeconds: 604_800,
  /** One chunk head of aws-chunked: `<hex length>;chunk-signature=<64 hex>`; longer is an attack. */
  chunkHeadBytes: 256,
  /** All trailer lines of aws-chunked together. */
  chunkTrailerBytes: 4 * KiB,
  /** Elements and nesting of an XML body; 10,000 parts with four elements each are 40,001. */
  xmlElements: 50_001,
  xmlDepth: 16,
} as const;
