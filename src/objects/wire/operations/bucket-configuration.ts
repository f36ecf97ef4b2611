/**
 * GET /bucket?acl, ?versioning, ?policy and their like, for a bucket on which none of them can be set yet:
 * the answer S3 gives for a bucket on which none was. Clients ask before they do anything else.
 */
import { type S3Code, S3Error } from '../../errors.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { BUCKET_CONFIGURATIONS, type BucketConfiguration } from '../route.ts';
import { s3Document, type XmlWriter } from '../xml-writer.ts';

export interface BucketConfigurationInput {
  readonly bucket: string;
  readonly subresource: BucketConfiguration;
}

export interface OwnerResult {
  readonly owner: { readonly id: string; readonly displayName: string };
}

/** A document, or the error that says "not set". */
type Unset =
  | { readonly root: string; readonly content?: (xml: XmlWriter) => void }
  | { readonly code: S3Code };

const UNSET: Readonly<Record<Exclude<BucketConfiguration, 'acl'>, Unset>> = {
  accelerate: { root: 'AccelerateConfiguration' },
  cors: { code: 'NoSuchCORSConfiguration' },
  encryption: { code: 'ServerSideEncryptionConfigurationNotFoundError' },
  lifecycle: { code: 'NoSuchLifecycleConfiguration' },
  logging: { root: 'BucketLoggingStatus' },
  notification: { root: 'NotificationConfiguration' },
  'object-lock': { code: 'ObjectLockConfigurationNotFoundError' },
  ownershipControls: {
    root: 'OwnershipControls',
    content: (xml) => {
      xml.element('Rule', () => {
        xml.text('ObjectOwnership', 'BucketOwnerEnforced');
      });
    },
  },
  policy: { code: 'NoSuchBucketPolicy' },
  policyStatus: { code: 'NoSuchBucketPolicy' },
  publicAccessBlock: { code: 'NoSuchPublicAccessBlockConfiguration' },
  replication: { code: 'ReplicationConfigurationNotFoundError' },
  requestPayment: {
    root: 'RequestPaymentConfiguration',
    content: (xml) => void xml.text('Payer', 'BucketOwner'),
  },
  tagging: { code: 'NoSuchTagSet' },
  versioning: { root: 'VersioningConfiguration' },
  website: { code: 'NoSuchWebsiteConfiguration' },
};

export function decodeBucketConfiguration({ bucket, query }: S3Request): BucketConfigurationInput {
  const subresource = BUCKET_CONFIGURATIONS.find((name) => query.has(name));
  if (subresource === undefined) throw new S3Error('NotImplemented');
  return { bucket, subresource };
}

/** @throws S3Error the one that says "not set" */
export function encodeBucketConfiguration(result: OwnerResult, request: S3Request): S3Response {
  const { bucket, subresource } = decodeBucketConfiguration(request);
  if (subresource === 'acl') return xmlResponse(aclDocument(result));
  const unset = UNSET[subresource];
  if ('code' in unset) throw new S3Error(unset.code, undefined, { elements: { BucketName: bucket } });
  return xmlResponse(s3Document(unset.root, (xml) => unset.content?.(xml)));
}

const XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"';

/** The owner alone may do everything. */
export function aclDocument({ owner }: OwnerResult): string {
  return s3Document('AccessControlPolicy', (xml) => {
    const person = (): void => void xml.text('ID', owner.id).text('DisplayName', owner.displayName);
    xml.element('Owner', person);
    xml.element('AccessControlList', () => {
      xml.element('Grant', () => {
        xml.element('Grantee', person, XSI).text('Permission', 'FULL_CONTROL');
      });
    });
  });
}
