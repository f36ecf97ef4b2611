/** Short forms of the responses that handlers give most. */
import type { HeaderList, HttpResponse } from './types.ts';

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const TEXT_TYPE = ['Content-Type', 'text/plain; charset=utf-8'] as const;
const ONLY_JSON_TYPE: HeaderList = Object.freeze([JSON_TYPE]);

/** @throws TypeError when `value` has no JSON form */
export function json(status: number, value: unknown, headers?: HeaderList): HttpResponse {
  const body = JSON.stringify(value);
  if (body === undefined) throw new TypeError('the value has no JSON form');
  return { status, headers: headers === undefined ? ONLY_JSON_TYPE : [JSON_TYPE, ...headers], body };
}

export function text(status: number, body: string, headers: HeaderList = []): HttpResponse {
  return { status, headers: [TEXT_TYPE, ...headers], body };
}

/** A response without content. */
export function empty(status: number, headers: HeaderList = []): HttpResponse {
  return { status, headers };
}
