/**
 * The example values that AWS publishes with Signature Version 4 for S3: "Signature Calculations for the
 * Authorization Header" (single and multiple chunks, trailers) and "Using Query Parameters".
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeHashing } from '../../crypto/hashing.ts';
import { collectFields } from '../fields.ts';
import { Query } from '../query.ts';
import { chunkSignature, type SigningChain, trailerSignature } from './chunk-signatures.ts';
import { presignTarget, signRequest } from './sign-request.ts';
import { canonicalRequest, signature, signingKey, stringToSign, trimSpaces } from './signing.ts';
import { SigningKeys } from './signing-keys.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' };
const AMZ_DATE = '20130524T000000Z';
const NOW = Date.UTC(2013, 4, 24);
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  keys: new SigningKeys(nodeHashing, SECRET),
  region: 'us-east-1',
};
const HOST = 'examplebucket.s3.amazonaws.com';

interface Example {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly payloadHash: string;
  readonly expected: string;
}

const EXAMPLES: readonly Example[] = [
  {
    name: 'GET object with a range',
    method: 'GET',
    path: '/test.txt',
    query: '',
    headers: [['Range', 'bytes=0-9']],
    payloadHash: EMPTY,
    expected: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT object with a dollar sign in its key',
    method: 'PUT',
    path: '/test$file.text',
    query: '',
    headers: [
      ['Date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ],
    payloadHash: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    expected: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET bucket lifecycle, a parameter without a value',
    method: 'GET',
    path: '/',
    query: 'lifecycle',
    headers: [],
    payloadHash: EMPTY,
    expected: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'list objects',
    method: 'GET',
    path: '/',
    query: 'max-keys=2&prefix=J',
    headers: [],
    payloadHash: EMPTY,
    expected: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
];

describe('signatures of single requests', () => {
  for (const { name, expected, query, ...request } of EXAMPLES) {
    test(name, () => {
      const signed = signRequest(
        nodeHashing,
        CREDENTIALS,
        { ...request, host: HOST, query: Query.parse(query) },
        NOW,
      );
      const authorization = collectFields(signed).get('authorization') ?? '';
      assert.equal(authorization.slice(authorization.lastIndexOf('=') + 1), expected);
    });
  }

  test('a presigned URL', () => {
    const target = presignTarget(
      nodeHashing,
      CREDENTIALS,
      { method: 'GET', host: HOST, path: '/test.txt', query: Query.parse('') },
      NOW,
      86_400,
    );
    assert.equal(
      target,
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
        '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });
});

/** The signature of the PUT that begins a chunked upload. */
function seedOf(payloadHash: string, more: readonly (readonly [string, string])[]): string {
  const fields = collectFields([
    ['host', 's3.amazonaws.com'],
    ['x-amz-date', AMZ_DATE],
    ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ['x-amz-content-sha256', payloadHash],
    ['content-encoding', 'aws-chunked'],
    ['x-amz-decoded-content-length', '66560'],
    ...more,
  ]);
  const canonical = canonicalRequest({
    method: 'PUT',
    path: '/examplebucket/chunkObject.txt',
    query: Query.parse(''),
    fields,
    signedNames: [...fields.keys()].sort(),
    payloadHash,
  });
  const key = signingKey(nodeHashing, SECRET, SCOPE);
  return signature(nodeHashing, key, stringToSign(nodeHashing, AMZ_DATE, SCOPE, canonical));
}

function chainOf(seed: string): SigningChain {
  return { scope: SCOPE, amzDate: AMZ_DATE, signingKey: signingKey(nodeHashing, SECRET, SCOPE), seed };
}

/** 65,536 and 1,024 letters `a`, and the empty last chunk. */
const CHUNK_HASHES = [65_536, 1024, 0].map((length) => nodeHashing.sha256Hex('a'.repeat(length)));

function chainSignatures(chain: SigningChain): string[] {
  const signatures: string[] = [];
  for (const hash of CHUNK_HASHES) {
    signatures.push(chunkSignature(nodeHashing, chain, signatures.at(-1) ?? chain.seed, hash));
  }
  return signatures;
}

describe('signatures of chunks', () => {
  test('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', () => {
    const seed = seedOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', [['content-length', '66824']]);
    assert.equal(seed, '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9');
    assert.deepEqual(chainSignatures(chainOf(seed)), [
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
  });

  test('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', () => {
    const seed = seedOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', [
      ['x-amz-trailer', 'x-amz-checksum-crc32c'],
    ]);
    assert.equal(seed, '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e');
    const chain = chainOf(seed);
    const signatures = chainSignatures(chain);
    assert.deepEqual(signatures, [
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ]);
    assert.equal(
      trailerSignature(nodeHashing, chain, signatures[2]!, [['x-amz-checksum-crc32c', 'sOO8/Q==']]),
      'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
    );
  });
});

test('spaces in a header value are trimmed at the ends and single inside', () => {
  const cases = [
    ['', ''],
    [' ', ''],
    ['a', 'a'],
    ['  a  b\t \tc ', 'a b c'],
    ['"a  b"', '"a b"'],
  ] as const;
  for (const [given, expected] of cases) assert.equal(trimSpaces(given), expected);
});
