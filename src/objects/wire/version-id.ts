/** Versions do not exist yet: the one version of an object is `null`, as in a bucket that never had any. */
import { S3Error } from '../errors.ts';

/** @throws S3Error InvalidArgument for any version but the current one */
export function requireCurrentVersion(versionId: string | undefined): void {
  if (versionId === undefined || versionId === 'null') return;
  throw new S3Error('InvalidArgument', 'Invalid version id specified', {
    elements: { ArgumentName: 'versionId', ArgumentValue: versionId },
  });
}
