/**
 * The head of one part. RFC 7578 sections 4.2 to 4.8.
 *
 *   Content-Disposition: form-data; name="spell"; filename="fire.txt"
 *   Content-Type: text/plain
 *
 * Names are UTF-8 as it stands (section 5.1). Browsers write `"`, CR and LF in them as %22, %0D and %0A, and escape
 * nothing else, not even `%` (WHATWG HTML section 4.10.22.8), so exactly these three are decoded. `filename*` must
 * not be sent (section 4.2); it is refused, because where there are two names for a file, what inspects uploads and
 * what stores them may each take another. So is a transfer encoding that changes bytes (section 4.7).
 *
 * A file name is a label from the network: it may hold path separators, CR and LF, and is never a path here.
 */
import type { FormLimits } from '../limits.ts';
import { parseParameterized } from '../parameters.ts';
import { type Fields, parseFields } from '../wire/fields.ts';
import { isMalformed } from '../wire/malformed.ts';
import { type FormRefusal, refuseForm } from './refusal.ts';

export interface PartHead {
  readonly name: string;
  /** Given, even as '', for a file; a form control for files without one chosen sends ''. */
  readonly filename: string | undefined;
  /** As received; undefined means text/plain (section 4.4). */
  readonly contentType: string | undefined;
  readonly headers: Fields;
}

export type PartHeadLimits = Pick<FormLimits, 'partHeadBytes' | 'partFields'>;

/** @param text latin1, whole lines, without the empty one */
export function parsePartHead(text: string, limits: PartHeadLimits): PartHead | FormRefusal {
  const bounds = { fieldCount: limits.partFields, fieldBytes: limits.partHeadBytes };
  const headers = parseFields(text, 0, text.length, bounds);
  if (isMalformed(headers)) return headRefusal(headers.status, headers.message);
  if (headers.getAll('content-type').length > 1)
    return refuseForm('bad-part-head', 'a part has more than one Content-Type');
  if (!keepsBytes(headers.get('content-transfer-encoding')))
    return refuseForm('bad-transfer-encoding', 'the parts of a form have no transfer encoding');
  const dispositions = headers.getAll('content-disposition');
  if (dispositions.length !== 1)
    return refuseForm('bad-disposition', 'a part needs exactly one Content-Disposition');
  return withDisposition(headers, dispositions[0]!);
}

function headRefusal(status: number, message: string): FormRefusal {
  if (status === 431) return refuseForm('part-head-too-large', message, 413);
  return refuseForm('bad-part-head', message);
}

function keepsBytes(encoding: string | undefined): boolean {
  return encoding === undefined || ['7bit', '8bit', 'binary'].includes(encoding.toLowerCase());
}

function withDisposition(headers: Fields, field: string): PartHead | FormRefusal {
  const disposition = parseParameterized(field, 'part');
  if (disposition?.value !== 'form-data')
    return refuseForm('bad-disposition', 'the Content-Disposition of a part is not form-data');
  const { parameters } = disposition;
  for (const key of parameters.keys()) {
    if (key.endsWith('*'))
      return refuseForm(
        'bad-disposition',
        'the extended notation has no place in forms, RFC 7578 section 4.2',
      );
  }
  const name = decodeName(parameters.get('name'));
  if (name === undefined)
    return refuseForm('bad-disposition', 'a part has no name, or one that is not UTF-8');
  const filename = decodeName(parameters.get('filename'));
  if (filename === undefined && parameters.has('filename'))
    return refuseForm('bad-disposition', 'a file name is not UTF-8');
  return { name, filename, contentType: headers.get('content-type'), headers };
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined when there is none, or its bytes are not UTF-8. */
function decodeName(latin1: string | undefined): string | undefined {
  if (latin1 === undefined) return undefined;
  const bytes = latin1.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');
  try {
    return STRICT_UTF8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}
