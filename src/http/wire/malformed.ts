/**
 * The outcome of decoding bytes that are not HTTP: a value, never an exception. The status is what a server
 * answers before it closes; a client closes and reports the reason.
 */

export type MalformedCode =
  | 'bad-line-ending'
  | 'bad-request-line'
  | 'bad-status-line'
  | 'bad-method'
  | 'bad-target'
  | 'bad-version'
  | 'bad-field-name'
  | 'bad-field-value'
  | 'obsolete-folding'
  | 'space-before-colon'
  | 'bad-host'
  | 'bad-content-length'
  | 'bad-transfer-encoding'
  | 'unknown-transfer-coding'
  | 'conflicting-framing'
  | 'bad-connection'
  | 'bad-expect'
  | 'bad-chunk'
  | 'unexpected-content'
  | 'truncated'
  | 'unsolicited'
  | 'method-too-long'
  | 'target-too-long'
  | 'head-too-large'
  | 'too-many-fields'
  | 'field-too-large'
  | 'trailer-too-large'
  | 'extension-too-large'
  | 'content-too-large'
  | 'too-many-informational';

export interface Malformed {
  readonly kind: 'malformed';
  readonly code: MalformedCode;
  readonly status: number;
  readonly message: string;
}

/** Builds a refusal; `message` must not contain bytes of the input. */
export function malformed(code: MalformedCode, message: string, status = 400): Malformed {
  return { kind: 'malformed', code, status, message };
}

export function isMalformed(value: object): value is Malformed {
  return 'kind' in value && value.kind === 'malformed';
}
