/**
 * Problem details: machine-readable refusals, `application/problem+json`. RFC 9457.
 */
import { HttpError } from './errors.ts';
import type { HeaderList, HttpResponse } from './types.ts';
import { reasonOf } from './wire/status.ts';

export interface ProblemDetails {
  /** A URI naming the kind of problem; `about:blank` when the status says all. */
  readonly type?: string;
  readonly title?: string;
  /** What went wrong this time; must not repeat raw input. */
  readonly detail?: string;
  readonly instance?: string;
  /** Further members of the object. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly headers?: HeaderList;
}

const FIXED_FIELDS: HeaderList = [
  ['Content-Type', 'application/problem+json'],
  ['X-Content-Type-Options', 'nosniff'],
];

export function problem(status: number, details: ProblemDetails = {}): HttpResponse {
  const body = {
    ...details.extensions,
    type: details.type ?? 'about:blank',
    title: details.title ?? reasonOf(status),
    status,
    ...(details.detail === undefined ? {} : { detail: details.detail }),
    ...(details.instance === undefined ? {} : { instance: details.instance }),
  };
  return { status, headers: [...FIXED_FIELDS, ...(details.headers ?? [])], body: JSON.stringify(body) };
}

/** The response to whatever a handler threw; what is not an HttpError is our fault and stays unnamed. */
export function problemOf(thrown: unknown): HttpResponse {
  if (!(thrown instanceof HttpError)) return problem(500);
  return problem(thrown.status, { detail: thrown.message, headers: thrown.headers });
}
