/** `x-amz-copy-source: /bucket/key?versionId=…`, percent-encoded once, with or without the first slash. */
import { S3Error } from '../errors.ts';
import { requireKey } from './names.ts';
import { decodeUri } from './uri-encoding.ts';

export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

const VERSION = '?versionId=';

/** @throws S3Error InvalidArgument */
export function parseCopySource(text: string): CopySource {
  const version = text.lastIndexOf(VERSION);
  const path = decodeUri(version < 0 ? text : text.slice(0, version));
  const relative = path?.startsWith('/') ? path.slice(1) : path;
  const slash = relative?.indexOf('/') ?? -1;
  if (relative === undefined || slash <= 0 || slash === relative.length - 1) {
    throw new S3Error(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      {
        elements: { ArgumentName: 'x-amz-copy-source', ArgumentValue: text },
      },
    );
  }
  const key = relative.slice(slash + 1);
  requireKey(key);
  return {
    bucket: relative.slice(0, slash),
    key,
    versionId: version < 0 ? undefined : text.slice(version + VERSION.length),
  };
}
