/** Wrong credentials: refused in the protocol's words, and nothing beyond them done. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GetObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import pg from 'pg';
import { type Attack, run } from './attack.ts';
import { greeted } from './attacks.ts';
import { AMQP_HEADER, amqpIds, amqpStartOk, httpRequest, respCommand } from './bytes.ts';
import { type House, startHouse } from './house.ts';

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;
const plain = (password: string): string => Buffer.from(`\0octet\0${password}`).toString('base64');

/** What is sent, and all that comes back. */
const REFUSALS: Readonly<Record<string, readonly Attack[]>> = {
  cache: [
    {
      what: 'a wrong password',
      send: respCommand('AUTH', 'wrong'),
      reply: /^-WRONGPASS invalid username-password pair or user is disabled\.\r\n$/,
      ends: 'open',
    },
    {
      what: 'an unknown user',
      send: respCommand('AUTH', 'nobody', 'octet'),
      reply: /^-WRONGPASS invalid username-password pair or user is disabled\.\r\n$/,
      ends: 'open',
    },
    {
      what: 'no password',
      send: `${respCommand('GET', 'big')}${respCommand('FLUSHALL')}`,
      reply: /^(-NOAUTH Authentication required\.\r\n){2}$/,
      ends: 'open',
    },
  ],
  queue: [
    {
      what: 'a wrong password',
      open: async (peer) => {
        peer.send(AMQP_HEADER);
        await peer.until((received) => received.includes(amqpIds(10, 10)) && received.at(-1) === 0xce);
      },
      send: amqpStartOk('octet', 'wrong'),
      reply: /^\x01\x00\x00....\x00\x0a\x00\x32\x01\x93.ACCESS_REFUSED - .*\xce$/s,
      ends: { afterMs: 5_000 },
    },
  ],
  'queue management': [
    {
      what: 'a wrong password',
      send: httpRequest('/api/overview', basic('octet:wrong')),
      reply: /^HTTP\/1\.1 401 Unauthorized\r\n(.+\r\n)*www-authenticate: basic /i,
      ends: 'open',
    },
    {
      what: 'no password',
      send: httpRequest('/api/overview'),
      reply: /^HTTP\/1\.1 401 Unauthorized\r\n/,
      ends: 'open',
    },
  ],
  objects: [
    {
      what: 'no signature',
      send: 'PUT /files/stolen HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx',
      reply: /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*<Code>AccessDenied<\/Code>/,
      ends: 'open',
    },
  ],
  mail: [
    {
      what: 'three wrong passwords',
      open: greeted,
      send: `EHLO attacker.test\r\n${['a', 'b', 'c'].map((word) => `AUTH PLAIN ${plain(word)}\r\n`).join('')}`,
      reply: /\r\n(535 5\.7\.8 authentication failed\r\n){3}421 4\.7\.0 too many errors, closing\r\n$/,
      ends: 'closed',
    },
    {
      what: 'mail for others',
      open: greeted,
      send: 'EHLO attacker.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n',
      reply: /\r\n550 5\.7\.1 relaying denied\r\n$/,
      ends: 'open',
    },
  ],
  admin: [
    {
      what: 'a wrong token',
      send: httpRequest('/status', 'Authorization: Bearer wrong\r\n'),
      reply: /^HTTP\/1\.1 401 Unauthorized\r\n/,
      ends: 'open',
    },
    {
      what: 'no token',
      send: httpRequest('/metrics'),
      reply: /^HTTP\/1\.1 401 Unauthorized\r\n/,
      ends: 'open',
    },
  ],
  console: [
    {
      what: 'a page of another origin',
      send: httpRequest('/data/overview', 'Origin: http://attacker.test\r\n'),
      reply: /^HTTP\/1\.1 403 Forbidden\r\n/,
      ends: 'open',
    },
  ],
};

describe('wrong credentials', () => {
  let house: House;
  before(async () => {
    house = await startHouse({ password: true });
  });
  after(() => house[Symbol.asyncDispose]());

  for (const [name, attacks] of Object.entries(REFUSALS)) {
    for (const attack of attacks) {
      test(`${name}: ${attack.what}`, () => run(house, house.target(name), attack));
    }
  }

  for (const user of ['octet', 'nobody']) {
    test(`database: ${user} with a wrong password`, async () => {
      const url = new URL(house.octet.env['DATABASE_URL']!);
      url.username = user;
      url.password = 'wrong';
      const client = new pg.Client(url.href);
      client.on('error', () => undefined);
      const [refused] = await Promise.allSettled([client.connect(), house.target('database').ask()]);
      assert.equal(refused.status, 'rejected');
      const { code, severity, message } = refused.reason as pg.DatabaseError;
      const expected = ['28P01', 'FATAL', `password authentication failed for user "${user}"`];
      assert.deepEqual([code, severity, message], expected);
    });
  }

  for (const [what, credentials, code] of [
    ['a wrong secret', { accessKeyId: 'octet', secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
    ['an unknown key', { accessKeyId: 'nobody', secretAccessKey: 'wrong' }, 'InvalidAccessKeyId'],
  ] as const) {
    test(`objects: ${what}`, async () => {
      const endpoint = house.octet.env['AWS_ENDPOINT_URL_S3']!;
      const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
      const get = client.send(new GetObjectCommand({ Bucket: 'files', Key: 'big' }));
      const [refused] = await Promise.allSettled([get, house.target('objects').ask()]);
      client.destroy();
      assert.equal(refused.status, 'rejected');
      assert.ok(refused.reason instanceof S3ServiceException);
      assert.deepEqual([refused.reason.name, refused.reason.$metadata.httpStatusCode], [code, 403]);
    });
  }
});
