/** A request without a connection, for handlers under test. */
import type { HeaderList, HttpRequest } from '../types.ts';
import { Fields, NO_FIELDS } from '../wire/fields.ts';

const NO_BODY: HttpRequest['body'] = {
  sizeBytes: 0,
  bytes: async () => Buffer.alloc(0),
  text: async () => '',
  discard: () => undefined,
  trailers: () => NO_FIELDS,
  async *[Symbol.asyncIterator]() {
    // Nothing comes.
  },
};

export function bareRequest(
  method: string,
  headers: HeaderList = [],
  overrides: Partial<HttpRequest> = {},
): HttpRequest {
  return {
    method,
    target: '/',
    path: '/',
    query: '',
    version: '1.1',
    headers: Fields.from(headers),
    body: NO_BODY,
    remote: { address: '127.0.0.1', port: 1 },
    peerIdentity: undefined,
    secure: false,
    id: 'test',
    signal: new AbortController().signal,
    upgrade: undefined,
    expectContinue: false,
    inform: () => undefined,
    params: {},
    route: undefined,
    ...overrides,
  };
}
