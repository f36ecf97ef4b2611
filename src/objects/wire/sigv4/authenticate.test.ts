/** Every way past the gate that has been tried on S3 servers, and the ways that must stay open. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nodeHashing } from '../../crypto/hashing.ts';
import { S3Error } from '../../errors.ts';
import { formatAmzDate } from '../dates.ts';
import { collectFields } from '../fields.ts';
import { Query } from '../query.ts';
import { decodeUri } from '../uri-encoding.ts';
import { type Authority, authenticate, type Identity } from './authenticate.ts';
import { presignTarget, signRequest } from './sign-request.ts';
import { SigningKeys } from './signing-keys.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const MINUTE = 60_000;
const HOST = '127.0.0.1:9000';
const KEYS = new SigningKeys(nodeHashing, 'secret');
const CREDENTIALS = { accessKeyId: 'key-id', keys: KEYS, region: 'us-east-1' };
const AUTHORITY: Authority = {
  hashing: nodeHashing,
  region: 'us-east-1',
  keysOf: (id) => (id === 'key-id' ? KEYS : undefined),
};
const EMPTY = nodeHashing.sha256Hex('');

interface Attempt {
  method: string;
  path: string;
  query: string;
  headers: [string, string][];
}

interface SignedOptions {
  readonly credentials?: Partial<typeof CREDENTIALS>;
  readonly at?: number;
  readonly headers?: [string, string][];
  readonly query?: string;
  readonly payloadHash?: string;
}

function signed(options: SignedOptions = {}): Attempt {
  const { query = '', at = NOW, payloadHash = EMPTY } = options;
  const headers = signRequest(
    nodeHashing,
    { ...CREDENTIALS, ...options.credentials },
    {
      method: 'GET',
      host: HOST,
      path: '/bucket/key',
      query: Query.parse(query),
      headers: options.headers ?? [],
      payloadHash,
    },
    at,
  );
  return { method: 'GET', path: '/bucket/key', query, headers };
}

function presigned(expiresSeconds = 60, at = NOW, method = 'GET', query = ''): Attempt {
  const request = { method, host: HOST, path: '/bucket/key', query: Query.parse(query) };
  const target = presignTarget(nodeHashing, CREDENTIALS, request, at, expiresSeconds);
  const question = target.indexOf('?');
  return {
    method,
    path: target.slice(0, question),
    query: target.slice(question + 1),
    headers: [['Host', HOST]],
  };
}

function attempt({ method, path, query, headers }: Attempt, at = NOW): Identity {
  const decoded = decodeUri(path);
  assert.ok(decoded !== undefined);
  const request = { method, path: decoded, query: Query.parse(query), fields: collectFields(headers) };
  return authenticate(request, AUTHORITY, at);
}

function refused(code: string, given: Attempt, at = NOW): S3Error {
  let caught: unknown;
  try {
    attempt(given, at);
  } catch (thrown) {
    caught = thrown;
  }
  assert.ok(caught instanceof S3Error, `${code} was expected, and it was admitted`);
  assert.equal(caught.code, code, caught.message);
  return caught;
}

/** Changes the value of one header, or adds it. */
function withHeader(given: Attempt, name: string, value: string): Attempt {
  const headers = given.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase());
  return { ...given, headers: [...headers, [name, value]] };
}

function withoutHeader(given: Attempt, name: string): Attempt {
  return { ...given, headers: given.headers.filter(([known]) => known.toLowerCase() !== name) };
}

function authorizationOf(given: Attempt): string {
  return collectFields(given.headers).get('authorization') ?? '';
}

function withAuthorization(given: Attempt, change: (text: string) => string): Attempt {
  return withHeader(given, 'authorization', change(authorizationOf(given)));
}

describe('admitted', () => {
  test('a signed request', () => {
    const identity = attempt(signed());
    assert.ok(identity.kind === 'key');
    assert.equal(identity.accessKeyId, 'key-id');
    assert.equal(identity.presigned, false);
    assert.deepEqual(identity.payload, { kind: 'signed', sha256: EMPTY });
  });

  test('a presigned URL, to the last second', () => {
    assert.equal(attempt(presigned(60), NOW + 60_000).kind, 'key');
    assert.equal(attempt(presigned(604_800), NOW + 604_800_000).kind, 'key');
  });

  test('a clock that is fifteen minutes off', () => {
    attempt(signed(), NOW + 15 * MINUTE);
    attempt(signed(), NOW - 15 * MINUTE);
    attempt(presigned(), NOW - 15 * MINUTE);
  });

  test('a request without any claim, as nobody', () => {
    const identity = attempt({ method: 'GET', path: '/bucket/key', query: '', headers: [['Host', HOST]] });
    assert.equal(identity.kind, 'anonymous');
  });

  test('the same key in another spelling of its escapes', () => {
    attempt({ ...signed(), path: '/bucket/%6bey' });
  });

  test('a header without meaning for S3 that is not signed', () => {
    attempt(withHeader(signed(), 'X-Forwarded-For', '192.0.2.1'));
    attempt(withHeader(signed(), 'x-amzn-trace-id', 'Root=1'));
  });

  test('the older Date header in place of x-amz-date', () => {
    const date = new Date(NOW).toUTCString();
    const given = signed({ headers: [['date', date]] });
    attempt(withoutHeader(given, 'nothing'));
  });
});

describe('refused: the claim', () => {
  test('both places at once', () => {
    refused('InvalidArgument', { ...presigned(), headers: signed().headers });
  });

  test('other schemes', () => {
    refused('InvalidRequest', withHeader(signed(), 'authorization', 'AWS key-id:c2lnbmF0dXJl'));
    refused('InvalidArgument', withHeader(signed(), 'authorization', 'Basic a2V5LWlkOnNlY3JldA=='));
    refused('InvalidArgument', withHeader(signed(), 'authorization', 'Bearer x'));
    refused('InvalidArgument', withHeader(signed(), 'authorization', ''));
    refused('InvalidRequest', { ...presigned(), query: 'AWSAccessKeyId=key-id&Signature=x&Expires=9' });
  });

  test('parts of the header missing, repeated or added', () => {
    const code = 'AuthorizationHeaderMalformed';
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace(/Signature=.*$/, '')),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace(/SignedHeaders=[^,]*,/, '')),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => `${text}, Signature=${'0'.repeat(64)}`),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => `${text}, Extra=1`),
    );
    refused(code, withHeader(signed(), 'authorization', 'AWS4-HMAC-SHA256'));
  });

  test('empty, unordered, repeated or upper-case signed headers', () => {
    const code = 'AuthorizationHeaderMalformed';
    for (const names of ['', ';', 'host;', ';host', 'x-amz-date;host', 'host;host', 'Host']) {
      refused(
        code,
        withAuthorization(signed(), (text) => text.replace(/SignedHeaders=[^,]*/, `SignedHeaders=${names}`)),
      );
    }
  });

  test('an empty or short signature', () => {
    for (const signature of ['', 'a', '0'.repeat(63), '0'.repeat(65)]) {
      refused(
        'AuthorizationHeaderMalformed',
        withAuthorization(signed(), (text) => text.replace(/Signature=.*$/, `Signature=${signature}`)),
      );
    }
  });

  test('any one parameter of a presigned URL missing, or in lower case', () => {
    const names = ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'];
    for (const name of names) {
      const given = presigned();
      const pairs = given.query.split('&');
      const without = pairs.filter((pair) => !pair.startsWith(`X-Amz-${name}=`)).join('&');
      refused('AuthorizationQueryParametersError', { ...given, query: without });
      const lower = given.query.replace(`X-Amz-${name}=`, `x-amz-${name.toLowerCase()}=`);
      refused('AuthorizationQueryParametersError', { ...given, query: lower });
    }
  });

  test('a parameter of a presigned URL given twice', () => {
    const given = presigned();
    assert.throws(() => attempt({ ...given, query: `${given.query}&X-Amz-Expires=604800` }), {
      code: 'InvalidArgument',
    });
  });
});

describe('refused: the scope', () => {
  test('another region, naming ours', () => {
    const error = refused('AuthorizationHeaderMalformed', signed({ credentials: { region: 'eu-west-1' } }));
    assert.equal(error.elements['Region'], 'us-east-1');
  });

  test('another service, terminator or date', () => {
    const code = 'AuthorizationHeaderMalformed';
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace('/s3/', '/sts/')),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace('/aws4_request', '/aws5_request')),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace('/20261123/', '/20261122/')),
    );
    refused(
      code,
      withAuthorization(signed(), (text) => text.replace('key-id/', '/')),
    );
  });
});

describe('refused: the time', () => {
  test('a request older or newer than fifteen minutes', () => {
    refused('RequestTimeTooSkewed', signed(), NOW + 15 * MINUTE + 1);
    refused('RequestTimeTooSkewed', signed(), NOW - 15 * MINUTE - 1);
  });

  test('no date, or one that is none', () => {
    refused('AccessDenied', withoutHeader(signed(), 'x-amz-date'));
    refused('AccessDenied', withHeader(signed(), 'x-amz-date', 'now'));
  });

  test('a presigned URL that has expired or is not valid yet', () => {
    assert.equal(refused('AccessDenied', presigned(60), NOW + 60_001).message, 'Request has expired');
    assert.equal(
      refused('AccessDenied', presigned(60), NOW - 15 * MINUTE - 1).message,
      'Request is not valid yet',
    );
  });

  test('an expiry outside 1 to 604,800 seconds', () => {
    for (const seconds of [0, 604_801]) refused('AuthorizationQueryParametersError', presigned(seconds));
    for (const text of ['-1', '1e3', '', 'x', '0x10', '9999999999']) {
      const given = presigned();
      const query = given.query.replace('X-Amz-Expires=60', `X-Amz-Expires=${text}`);
      refused('AuthorizationQueryParametersError', { ...given, query });
    }
  });

  test('a longer expiry than was signed', () => {
    const given = presigned(60);
    const query = given.query.replace('X-Amz-Expires=60', 'X-Amz-Expires=600');
    refused('SignatureDoesNotMatch', { ...given, query });
  });
});

describe('refused: fields that are not signed', () => {
  const dangerous = [
    ['x-amz-copy-source', '/other/secret'],
    ['x-amz-acl', 'public-read'],
    ['x-amz-meta-a', 'b'],
    ['x-amz-metadata-directive', 'REPLACE'],
    ['X-AMZ-COPY-SOURCE', '/other/secret'],
    ['content-md5', '1B2M2Y8AsgTpgAmY7PhCfg=='],
  ] as const;
  for (const [name, value] of dangerous) {
    test(name, () => {
      const error = refused('AccessDenied', withHeader(signed(), name, value));
      assert.equal(error.elements['HeadersNotSigned'], name.toLowerCase());
      refused('AccessDenied', withHeader(presigned(60, NOW, 'PUT'), name, value));
    });
  }

  test('host', () => {
    refused(
      'AccessDenied',
      withAuthorization(signed(), (text) => text.replace('SignedHeaders=host;', 'SignedHeaders=')),
    );
  });
});

describe('refused: the signature', () => {
  test('the wrong secret, telling what was hashed here', () => {
    const error = refused(
      'SignatureDoesNotMatch',
      signed({ credentials: { keys: new SigningKeys(nodeHashing, 'wrong') } }),
    );
    assert.match(error.elements['CanonicalRequest'] ?? '', /^GET\n\/bucket\/key\n\nhost:127\.0\.0\.1:9000\n/);
    assert.match(error.elements['StringToSign'] ?? '', /^AWS4-HMAC-SHA256\n20261123T120000Z\n/);
    assert.ok(!JSON.stringify(error.elements).includes('secret'));
  });

  test('an unknown key id', () => {
    refused('InvalidAccessKeyId', signed({ credentials: { accessKeyId: 'nobody' } }));
    refused('InvalidAccessKeyId', signed({ credentials: { accessKeyId: '__proto__' } }));
  });

  test('a session token, which we never gave out', () => {
    refused('InvalidToken', signed({ headers: [['x-amz-security-token', 'x']] }));
    refused('InvalidToken', presigned(60, NOW, 'GET', 'X-Amz-Security-Token=x'));
  });

  test('anything else changed', () => {
    const code = 'SignatureDoesNotMatch';
    refused(code, { ...signed(), method: 'DELETE' });
    refused(code, { ...signed(), path: '/bucket/other' });
    refused(code, { ...signed(), path: '/bucket//key' });
    refused(code, { ...signed(), path: '/bucket/x/../key' });
    refused(code, { ...signed(), path: '/bucket/%252e%252e' });
    refused(code, { ...signed(), path: '/bucket/key/' });
    refused(code, { ...signed(), query: 'versionId=null' });
    refused(code, withHeader(signed(), 'host', 'other.test'));
    refused(code, withHeader(signed({ headers: [['range', 'bytes=0-1']] }), 'range', 'bytes=0-'));
    refused(code, withoutHeader(signed({ headers: [['range', 'bytes=0-1']] }), 'range'));
    refused(code, { ...presigned(), method: 'DELETE' });
    refused(code, { ...presigned(), path: '/bucket/other' });
    refused(code, { ...presigned(), query: `${presigned().query}&response-content-type=text%2Fhtml` });
    refused(code, { ...presigned(), headers: [['Host', 'other.test']] });
  });

  test('a presigned GET used for PUT of a chunked payload', () => {
    const given = presigned(60, NOW, 'PUT', 'X-Amz-Content-Sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER');
    refused('InvalidArgument', given);
  });

  test('no request changed at random is admitted', () => {
    const whole = signed({ query: 'prefix=a&max-keys=7', headers: [['x-amz-meta-a', 'b']] });
    const authorization = authorizationOf(whole);
    fc.assert(
      fc.property(fc.nat(authorization.length - 1), fc.constantFrom(...'0f;,=/ aZ'), (at, char) => {
        fc.pre(authorization[at] !== char);
        const changed = authorization.slice(0, at) + char + authorization.slice(at + 1);
        // A space more or less between the parts changes nothing that counts.
        fc.pre(changed.replaceAll(' ', '') !== authorization.replaceAll(' ', ''));
        assert.throws(() => attempt(withHeader(whole, 'authorization', changed)), S3Error);
      }),
      { numRuns: 500 },
    );
  });
});

describe('payload modes', () => {
  test('each known one', () => {
    const kinds = [
      ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'chunked', signedChunks: true, trailer: false }],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { kind: 'chunked', signedChunks: true, trailer: true }],
      ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'chunked', signedChunks: false, trailer: true }],
      [EMPTY, { kind: 'signed', sha256: EMPTY }],
    ] as const;
    for (const [payloadHash, mode] of kinds) assert.deepEqual(attempt(signed({ payloadHash })).payload, mode);
  });

  test('unknown, empty or missing', () => {
    const unknown = [
      'STREAMING-UNSIGNED-PAYLOAD',
      'unsigned-payload',
      'x',
      EMPTY.slice(1),
      '__proto__',
      `${EMPTY}0`,
    ];
    for (const payloadHash of unknown) refused('InvalidArgument', signed({ payloadHash }));
    refused('NotImplemented', signed({ payloadHash: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' }));
    refused('InvalidRequest', withoutHeader(signed(), 'x-amz-content-sha256'));
  });

  test('chunks signed by nobody', () => {
    const headers: [string, string][] = [
      ['Host', HOST],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['x-amz-date', formatAmzDate(NOW)],
    ];
    refused('AccessDenied', { method: 'PUT', path: '/bucket/key', query: '', headers });
  });
});
