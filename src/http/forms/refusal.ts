/** The outcome of decoding what is no form: a value, never an exception, until it reaches the handler's reader. */
import { HttpError } from '../errors.ts';

export type FormRefusalCode =
  | 'bad-boundary'
  | 'bad-delimiter'
  | 'bad-part-head'
  | 'bad-disposition'
  | 'bad-transfer-encoding'
  | 'bad-text'
  | 'truncated'
  | 'form-too-large'
  | 'too-many-parameters'
  | 'too-many-parts'
  | 'part-head-too-large'
  | 'field-too-large'
  | 'file-too-large'
  | 'margin-too-large';

export interface FormRefusal {
  readonly kind: 'malformed';
  readonly code: FormRefusalCode;
  /** 400 when it is no form, 413 when it is too much of one. */
  readonly status: 400 | 413;
  readonly message: string;
}

/** `message` must not contain bytes of the input. */
export function refuseForm(code: FormRefusalCode, message: string, status: 400 | 413 = 400): FormRefusal {
  return { kind: 'malformed', code, status, message };
}

export function isFormRefusal(value: object): value is FormRefusal {
  return 'kind' in value && value.kind === 'malformed';
}

/** For a handler, whose refusals are thrown. */
export function formError({ status, message }: FormRefusal): HttpError {
  return new HttpError(status, message);
}
