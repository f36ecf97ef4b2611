import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chunkings } from '../../core/testing/chunkings.ts';
import { nodeHashing } from '../crypto/hashing.ts';
import type { BodyProof } from '../engine/engine.ts';
import type { ChecksumAlgorithm } from '../wire/checksums.ts';
import { collectFields } from '../wire/fields.ts';
import { parsePayloadMode } from '../wire/payload-mode.ts';
import type { Identity } from '../wire/sigv4/authenticate.ts';
import { chunkSignature, type SigningChain, trailerSignature } from '../wire/sigv4/chunk-signatures.ts';
import { signingKey } from '../wire/sigv4/signing.ts';
import { PayloadVerifier, readPayloadClaims } from './payload.ts';

const SCOPE = { date: '20261123', region: 'us-east-1', service: 's3' };
const CHAIN: SigningChain = {
  scope: SCOPE,
  amzDate: '20261123T120000Z',
  signingKey: signingKey(nodeHashing, 'secret', SCOPE),
  seed: 'a'.repeat(64),
};
const TEXT = 'hello world';
const MD5 = 'XrY7u+Ae7tCTyyK7j1rNww==';
const CRC32 = 'DUoRhQ==';
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

interface Given {
  readonly mode: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly contentLength?: number;
  readonly body: string;
}

function claimsOf({ mode, fields = {}, contentLength }: Given) {
  const payload = parsePayloadMode(mode);
  const identity: Identity = { kind: 'key', accessKeyId: 'k', presigned: false, payload, chain: CHAIN };
  return readPayloadClaims(collectFields(Object.entries(fields)), identity, contentLength);
}

function receive(given: Given, pieces: readonly Buffer[], asked: ChecksumAlgorithm = 'CRC64NVME') {
  const verifier = new PayloadVerifier(nodeHashing, claimsOf(given), asked);
  let data = '';
  for (const piece of pieces) {
    for (const bytes of verifier.push(piece)) data += bytes.toString('latin1');
  }
  return { data, proof: verifier.finish() };
}

function accepted(given: Given): BodyProof {
  let proof: BodyProof | undefined;
  for (const pieces of chunkings(Buffer.from(given.body, 'latin1'))) {
    const received = receive(given, pieces);
    assert.equal(received.data, TEXT);
    assert.equal(received.proof.md5.toString('base64'), MD5);
    assert.equal(received.proof.sizeBytes, TEXT.length);
    proof = received.proof;
  }
  assert.ok(proof !== undefined);
  return proof;
}

function refused(code: string, given: Given): void {
  for (const pieces of chunkings(Buffer.from(given.body, 'latin1'))) {
    assert.throws(() => receive(given, pieces), { code });
  }
}

/** Chunks of at most five bytes, each signed, then the trailer, signed too. */
function signedBody(trailer?: readonly [string, string], text = TEXT): string {
  let previous = CHAIN.seed;
  let body = '';
  const chunks = [...(text.match(/.{1,5}/gs) ?? []), ''];
  for (const chunk of chunks) {
    previous = chunkSignature(nodeHashing, CHAIN, previous, nodeHashing.sha256Hex(chunk));
    body += `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}${chunk === '' ? '' : '\r\n'}`;
  }
  if (trailer !== undefined) {
    const signature = trailerSignature(nodeHashing, CHAIN, previous, [trailer]);
    body += `${trailer[0]}:${trailer[1]}\r\nx-amz-trailer-signature:${signature}\r\n`;
  }
  return `${body}\r\n`;
}

const DECODED = { 'x-amz-decoded-content-length': String(TEXT.length) };
const WITH_TRAILER = { ...DECODED, 'x-amz-trailer': 'x-amz-checksum-crc32' };

describe('plain bodies', () => {
  test('the default checksum is computed', () => {
    const { checksum } = accepted({ mode: 'UNSIGNED-PAYLOAD', body: TEXT, contentLength: TEXT.length });
    assert.deepEqual(checksum, { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'jSnVw/bqjr4=' });
  });

  test('a signed hash, MD5 and checksum that hold', () => {
    const fields = {
      'content-md5': MD5,
      'x-amz-checksum-crc32': CRC32,
      'x-amz-sdk-checksum-algorithm': 'CRC32',
    };
    const { checksum } = accepted({ mode: nodeHashing.sha256Hex(TEXT), fields, body: TEXT });
    assert.deepEqual(checksum, { algorithm: 'CRC32', type: 'FULL_OBJECT', value: CRC32 });
  });

  test('those that do not', () => {
    const body = TEXT;
    const mode = 'UNSIGNED-PAYLOAD';
    refused('XAmzContentSHA256Mismatch', { mode: nodeHashing.sha256Hex('other'), body });
    refused('BadDigest', { mode, body, fields: { 'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==' } });
    refused('BadDigest', { mode, body, fields: { 'x-amz-checksum-crc32': 'AAAAAA==' } });
    refused('InvalidDigest', { mode, body, fields: { 'content-md5': 'short' } });
    refused('InvalidRequest', { mode, body, fields: { 'x-amz-checksum-crc32': 'short' } });
    refused('InvalidRequest', { mode, body, fields: { 'x-amz-checksum-md6': 'AAAAAA==' } });
  });

  test('two checksums, or one that was announced and is another or missing', () => {
    const given = { mode: 'UNSIGNED-PAYLOAD', body: TEXT };
    refused('InvalidRequest', {
      ...given,
      fields: { 'x-amz-checksum-crc32': CRC32, 'x-amz-checksum-sha1': 'Kq5sNclPz7QV2+lfQIuc6R7oRu0=' },
    });
    refused('InvalidRequest', {
      ...given,
      fields: { 'x-amz-checksum-crc32': CRC32, 'x-amz-sdk-checksum-algorithm': 'SHA256' },
    });
    refused('InvalidRequest', { ...given, fields: { 'x-amz-sdk-checksum-algorithm': 'SHA256' } });
    refused('InvalidRequest', { ...given, fields: { 'x-amz-trailer': 'x-amz-checksum-crc32' } });
  });

  test('more or fewer bytes than declared', () => {
    refused('IncompleteBody', { mode: 'UNSIGNED-PAYLOAD', body: TEXT, contentLength: TEXT.length + 1 });
    refused('IncompleteBody', { mode: 'UNSIGNED-PAYLOAD', body: TEXT, contentLength: TEXT.length - 1 });
  });
});

describe('aws-chunked bodies', () => {
  test('signed chunks', () => {
    accepted({ mode: SIGNED, fields: DECODED, body: signedBody() });
  });

  test('signed chunks and a signed trailer', () => {
    const body = signedBody(['x-amz-checksum-crc32', CRC32]);
    const { checksum } = accepted({ mode: SIGNED_TRAILER, fields: WITH_TRAILER, body });
    assert.equal(checksum.value, CRC32);
  });

  test('unsigned chunks and a trailer', () => {
    const body = `b\r\n${TEXT}\r\n0\r\nx-amz-checksum-crc32:${CRC32}\r\n\r\n`;
    const { checksum } = accepted({ mode: UNSIGNED_TRAILER, fields: WITH_TRAILER, body });
    assert.equal(checksum.algorithm, 'CRC32');
  });

  test('unsigned chunks that announced no trailer and bring none', () => {
    const body = `b\r\n${TEXT}\r\n0\r\n\r\n`;
    assert.equal(accepted({ mode: UNSIGNED_TRAILER, fields: DECODED, body }).checksum.algorithm, 'CRC64NVME');
  });

  const good = signedBody();
  const attacks: readonly (readonly [string, string])[] = [
    ['a byte changed', good.replace('hello', 'jello')],
    ['a chunk dropped', good.slice(good.indexOf('\r\nhello\r\n') + 9)],
    ['a chunk repeated', good.slice(0, good.indexOf('\r\nhello\r\n') + 9) + good],
    ['a signature changed', good.replace(/chunk-signature=./, 'chunk-signature=x')],
    ['no signatures', `b\r\n${TEXT}\r\n0\r\n\r\n`],
    ['the last signature missing', good.replace(/0;chunk-signature=.*\r\n/, '0\r\n')],
    ['empty signatures', good.replaceAll(/chunk-signature=[0-9a-f]{64}/g, 'chunk-signature=')],
  ];
  for (const [name, body] of attacks) {
    test(`refused: ${name}`, () => refused('SignatureDoesNotMatch', { mode: SIGNED, fields: DECODED, body }));
  }

  test('refused: a trailer that is wrong, missing, another, doubled, unsigned or signed by nobody', () => {
    const chunk = `b\r\n${TEXT}\r\n0\r\n`;
    const unsigned = { mode: UNSIGNED_TRAILER, fields: WITH_TRAILER };
    const line = `x-amz-checksum-crc32:${CRC32}\r\n`;
    refused('BadDigest', { ...unsigned, body: `${chunk}x-amz-checksum-crc32:AAAAAA==\r\n\r\n` });
    refused('InvalidRequest', { ...unsigned, body: `${chunk}\r\n` });
    refused('InvalidRequest', { ...unsigned, body: `${chunk}x-amz-checksum-crc32:\r\n\r\n` });
    refused('InvalidRequest', { ...unsigned, body: `${chunk}x-amz-checksum-sha1:${CRC32}\r\n\r\n` });
    refused('InvalidRequest', { ...unsigned, body: `${chunk}${line}${line}\r\n` });
    refused('InvalidRequest', { ...unsigned, fields: DECODED, body: `${chunk}${line}\r\n` });
    refused('InvalidRequest', {
      ...unsigned,
      body: `${chunk}${line}x-amz-trailer-signature:${'0'.repeat(64)}\r\n\r\n`,
    });
    const signed = signedBody(['x-amz-checksum-crc32', CRC32]);
    refused('SignatureDoesNotMatch', {
      mode: SIGNED_TRAILER,
      fields: WITH_TRAILER,
      body: signed.replace(/x-amz-trailer-signature:.*\r\n/, ''),
    });
    refused('SignatureDoesNotMatch', {
      mode: SIGNED_TRAILER,
      fields: WITH_TRAILER,
      body: signed.replace(CRC32, 'AAAAAA=='),
    });
  });

  test('refused: a length that lies', () => {
    for (const length of [TEXT.length - 1, TEXT.length + 1]) {
      const fields = { 'x-amz-decoded-content-length': String(length) };
      refused('IncompleteBody', { mode: SIGNED, fields, body: signedBody() });
    }
  });

  test('refused: no length, or nonsense', () => {
    refused('MissingContentLength', { mode: SIGNED, body: signedBody() });
    for (const text of ['', '-1', 'x', '1e3', '99999999999999999']) {
      refused('InvalidArgument', {
        mode: SIGNED,
        fields: { 'x-amz-decoded-content-length': text },
        body: '',
      });
    }
  });

  test('refused: cut anywhere', () => {
    const whole = signedBody();
    for (let length = 0; length < whole.length; length++) {
      assert.throws(
        () => receive({ mode: SIGNED, fields: DECODED, body: '' }, [Buffer.from(whole.slice(0, length))]),
        { code: 'IncompleteBody' },
      );
    }
  });

  test('refused: plain bytes under a chunked mode', () => {
    refused('IncompleteBody', { mode: SIGNED, fields: DECODED, body: TEXT });
  });
});
